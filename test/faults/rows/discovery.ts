import { always, type Handler, json } from '../../support/loopback.ts';
import { granting } from '../../support/sts.ts';
import type { Places } from '../places.ts';
import type { FaultRow, Given } from '../row.ts';
import { bare, redirect } from './handlers.ts';

const invalid = { outcome: 'sts_metadata_invalid misconfigured', sts: 0, mcp: 0 } as const;

/** Metadata that is right but for some members. */
function metadata({ sts }: Places, members: object = {}): Handler {
  return always({ issuer: sts.origin, token_endpoint: `${sts.origin}/token`, ...members });
}

/** An STS whose metadata is asked for, and answered by these handlers, one for each request, the last for all others. */
function discovered(...describe: readonly ((places: Places) => Handler)[]): (places: Places) => Given {
  return (places) => {
    const { sts } = places;
    const handlers = describe.map((one) => one(places));
    const grant = granting();
    sts.handle((request, response) => {
      if (request.path === '/token') return grant(request, response);
      const answer = (handlers.length > 1 ? handlers.shift() : handlers[0]) as Handler;
      answer(request, response);
    });
    return { service: { issuer: sts.origin, tokenEndpoint: undefined } };
  };
}

const status = (code: number) => () => bare(code);

/** What can be wrong with where the STS says that it is. */
export const discoveryRows: readonly FaultRow[] = [
  ...[301, 302, 303, 307, 308].map(
    (code): FaultRow => ({
      fault: `STS: ${code} to another host`,
      ...{ outcome: 'sts_invalid_response misconfigured', sts: 1, mcp: 0 },
      given({ sts, elsewhere }) {
        sts.handle(redirect(code, elsewhere));
        return {};
      },
    }),
  ),
  {
    fault: 'metadata: token endpoint on another host',
    ...invalid,
    given: discovered((places) => metadata(places, { token_endpoint: `${places.elsewhere.origin}/token` })),
  },
  {
    fault: 'metadata: token endpoint in clear text, off loopback',
    ...{ ...invalid, outcome: 'insecure_url misconfigured' },
    given: discovered((places) => metadata(places, { token_endpoint: 'http://sts.invalid/token' })),
  },
  {
    fault: 'metadata: token endpoint is no URL',
    ...invalid,
    given: discovered((places) => metadata(places, { token_endpoint: 'token' })),
  },
  {
    fault: 'metadata: no token endpoint',
    ...invalid,
    given: discovered((places) => metadata(places, { token_endpoint: undefined })),
  },
  {
    fault: 'metadata: of another issuer',
    ...invalid,
    given: discovered((places) => metadata(places, { issuer: 'https://idp.example.com' })),
  },
  {
    fault: 'metadata: a page of HTML',
    ...invalid,
    given: discovered(() => (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html>');
    }),
  },
  {
    fault: 'metadata: redirect to another host',
    ...invalid,
    given: discovered(({ elsewhere }) => redirect(302, elsewhere, '/.well-known/openid-configuration')),
  },
  { fault: 'metadata: 404', ...invalid, given: discovered(status(404)) },
  {
    fault: 'metadata: 404 for OpenID, there for OAuth',
    ...{ outcome: 'ok', sts: 1, mcp: 1 },
    given: discovered(status(404), metadata),
  },
  {
    fault: 'metadata: 500, then there',
    ...{ outcome: 'ok', sts: 1, mcp: 1 },
    given: discovered(status(500), metadata),
  },
  {
    fault: 'metadata: 503 for ever',
    ...{ outcome: 'sts_metadata_invalid unavailable', sts: 0, mcp: 0 },
    given: discovered(status(503)),
  },
  {
    fault: 'metadata: 503 for one call, there for the next',
    ...{ outcome: ['sts_metadata_invalid unavailable', 'ok'], sts: 1, mcp: 1 },
    given: discovered(status(503), status(503), status(503), metadata),
    async play({ call }) {
      await call();
      await call();
    },
  },
  {
    fault: 'metadata: 10 MB of it',
    ...{ ...invalid, outcome: 'sts_invalid_response misconfigured' },
    given: discovered(
      (places) => (_request, response) =>
        json(response, { issuer: places.sts.origin, filler: ' '.repeat(10_000_000) }),
    ),
  },
];

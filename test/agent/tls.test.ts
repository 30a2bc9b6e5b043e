import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { fetchFor } from '../../src/agent/tls.ts';
import { type AgentTokenService, createTokenServices } from '../../src/agent/token-services.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import {
  type Authority,
  createAuthority,
  startTlsLoopback,
  type TlsLoopback,
} from '../support/certificates.ts';
import { startCertifiedSts } from '../support/certified-sts.ts';
import { failureOf, thrownBy } from '../support/failure.ts';
import { always, type Handler, startLoopback } from '../support/loopback.ts';
import { AGENT, callsAt, configOf, send, serve, setStage, tokenService } from './support.ts';

let authority: Authority;
let other: Authority;

beforeAll(async () => {
  authority = await createAuthority('One CA');
  other = await createAuthority('Another CA');
});

const start = async (
  by: Authority = authority,
  handler: Handler = always({ done: true }),
): Promise<TlsLoopback> => startTlsLoopback({ ...(await by.server()), requestCert: false }, handler);

/** A file with this text, removed after the test. */
function fileOf(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'onbehalf-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'ca.pem');
  writeFileSync(file, text);
  return file;
}

/** An https server by the authority in front of an http server. */
async function inFrontOf(url: string): Promise<string> {
  const { origin, pathname } = new URL(url);
  const front = await start(authority, ({ method, path, headers, body }, response) => {
    const { connection: _, ...rest } = headers;
    const inner = request(`${origin}${path}`, { method, headers: rest }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    inner.end(body);
  });
  return `${front.origin}${pathname}`;
}

test('a server of a CA in the file is trusted, and nobody of another CA', async () => {
  const [server, foreign] = [await start(), await start(other)];
  const fetch = fetchFor({ tls_ca_cert_path: fileOf(authority.cert) }, 'http_tools[0].params');

  const response = await fetch(`${server.origin}/a?b=c`, {
    method: 'POST',
    body: new URLSearchParams({ d: 'e f' }),
  });

  expect(await response.json()).toEqual({ done: true });
  expect(server.received[0]).toMatchObject({ path: '/a?b=c', body: 'd=e+f' });
  const refused = await thrownBy(fetch(foreign.origin, {}));
  expect(refused).toMatchObject({ code: expect.stringMatching(/UNABLE|SELF_SIGNED|ISSUER/) });
  expect(foreign.received).toEqual([]);
});

test('a CA that was rotated is trusted without a restart, and the one before no more', async () => {
  const [server, next] = [await start(), await start(other)];
  const file = fileOf(authority.cert);
  const fetch = fetchFor({ tls_ca_cert_path: file, tls_disable_system_cas: true }, 'model');
  expect((await fetch(server.origin, {})).status).toBe(200);

  writeFileSync(file, other.cert);

  expect((await fetch(next.origin, {})).status).toBe(200);
  await expect(fetch(server.origin, {})).rejects.toThrow();
});

test('every certificate of a file counts', async () => {
  const [server, next] = [await start(), await start(other)];
  const fetch = fetchFor({ tls_ca_cert_path: fileOf(`${other.cert}\n${authority.cert}`) }, 'model');

  expect((await fetch(server.origin, {})).status).toBe(200);
  expect((await fetch(next.origin, {})).status).toBe(200);
});

test.each([
  ['a file that is not there', () => '/no/such/ca.pem', 'cannot be read (ENOENT)'],
  ['a file without a certificate', () => fileOf('hello'), 'must hold certificates as PEM'],
  [
    'a certificate that is broken',
    () => fileOf(`${authority.cert}\n${other.cert.replace(/\n[^-\n]{20}/, '\nAAAABBBBAAAABBBBAAAA')}`),
    'must hold certificates as PEM',
  ],
  [
    'a certificate that is cut off',
    () => fileOf(`${authority.cert}\n${other.cert.slice(0, 200)}`),
    'must hold certificates as PEM',
  ],
])('%s stops the request, and the error names field and file', async (_what, fileFor, why) => {
  const server = await start();
  const file = fileFor();

  const { code, message } = await failureOf(fetchFor({ tls_ca_cert_path: file }, 'model')(server.origin, {}));

  expect(code).toBe('client_auth_unavailable');
  expect(message).toContain(`"model.tls_ca_cert_path": ${file}`);
  expect(message).toContain(why);
  expect(server.received).toEqual([]);
});

test('without verification any certificate is taken, and only then', async () => {
  const server = await start();

  expect((await fetchFor({ tls_insecure_skip_verify: true }, 'model')(server.origin, {})).status).toBe(200);
  await expect(fetchFor({ tls_insecure_skip_verify: false }, 'model')(server.origin, {})).rejects.toThrow();
  await expect(fetchFor({}, 'model')(server.origin, {})).rejects.toThrow();
  expect(() => fetchFor({ tls_disable_system_cas: true }, 'model')).toThrow(
    'model.tls_disable_system_cas: leaves nobody to trust',
  );
});

test('plain http goes by the global fetch', async () => {
  const server = await startLoopback(always({ plain: true }));
  const fetch = fetchFor({ tls_ca_cert_path: '/no/such/ca.pem' }, 'model');

  expect(await (await fetch(server.origin, {})).json()).toEqual({ plain: true });
});

test('an answer is given as it comes, and cut off by an abort or by whoever reads it', async () => {
  const server = await start(authority, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('data: first\n\n');
  });
  const fetch = fetchFor({ tls_ca_cert_path: fileOf(authority.cert) }, 'model');
  const abort = new AbortController();
  const aborted = (await fetch(server.origin, { signal: abort.signal })).body?.getReader();
  const left = (await fetch(server.origin, {})).body?.getReader();

  expect(new TextDecoder().decode((await aborted?.read())?.value)).toBe('data: first\n\n');
  expect(new TextDecoder().decode((await left?.read())?.value)).toBe('data: first\n\n');
  const reason = new Error('enough');
  const pending = aborted?.read();
  let closed = server.closed();
  abort.abort(reason);
  await expect(pending).rejects.toBe(reason);
  await closed;
  closed = server.closed();
  const silent = left?.read();
  await left?.cancel();
  expect(await silent).toMatchObject({ done: true });
  await closed;
});

test('a redirect is not followed, and an error where the request says so', async () => {
  const server = await start(authority, (_request, response) =>
    response.writeHead(307, { location: '/elsewhere' }).end(),
  );
  const fetch = fetchFor({ tls_ca_cert_path: fileOf(authority.cert) }, 'model');

  expect((await fetch(server.origin, {})).status).toBe(307);
  await expect(fetch(server.origin, { redirect: 'error' })).rejects.toThrow('redirect');
  expect(server.received.map(({ path }) => path)).toEqual(['/', '/']);
});

test('an agent calls token service and tool server over TLS by the CA of its config', async () => {
  const stage = await setStage();
  const calendar = await stage.mcp('calendar');
  const tls = { tls_ca_cert_path: fileOf(authority.cert), tls_disable_system_cas: true };
  const { issuer: _, ...service } = tokenService(stage.sts);
  const token_endpoint = await inFrontOf(stage.sts.tokenEndpoint);
  const url = await inFrontOf(calendar.url);
  const warnings: string[] = [];
  const config = (own: object): object => ({
    ...configOf(stage, [calendar]),
    http_tools: [{ name: 'calendar', params: { url, ...own }, sts_audience: 'calendar' }],
    token_exchange: { token_services: { sts: { ...service, token_endpoint, ...own } } },
  });
  const agent = await serve(config(tls), { onWarning: (warning) => warnings.push(warning) });
  const unverified = await serve(config({ tls_insecure_skip_verify: true }), {
    onWarning: (warning) => warnings.push(warning),
  });
  const distrusting = await serve(config({}));

  expect((await send(agent, await stage.token('alice'))).text).toContain('calendar of alice');
  expect((await send(unverified, await stage.token('bob'))).text).toContain('calendar of bob');
  expect((await send(distrusting, await stage.token('alice'))).text).not.toContain('calendar of');

  expect(callsAt(calendar)).toEqual([
    `alice for calendar by ${AGENT}: 200`,
    `bob for calendar by ${AGENT}: 200`,
  ]);
  const loud = 'tls_insecure_skip_verify: certificates are NOT verified: whoever is in the way can read';
  expect(warnings).toEqual([
    expect.stringContaining(`http_tools[0].params.${loud}`),
    expect.stringContaining(`token_exchange.token_services.sts.${loud}`),
  ]);
});

test.each([true, false])(
  'a token service that wants a client certificate is met by the CA of the config, alone or beside the others: %s',
  async (onlyIt) => {
    const client_id = 'agent';
    const method = 'tls_client_auth' as const;
    const { cert, key } = await authority.client('agent-one');
    const { issuer } = await startCertifiedSts(authority, [
      { client_id, token_endpoint_auth_method: method, tls_client_auth_subject_dn: 'CN=agent-one' },
    ]);
    const granted = async (ca: Authority): Promise<unknown> => {
      const [made] = createTokenServices(
        {
          retention: 'run',
          token_services: {
            sts: {
              ...{ issuer, client_id, actor: { source: 'none' }, dangerously_allow_insecure_http: false },
              ...{ tls_ca_cert_path: fileOf(ca.cert), tls_disable_system_cas: onlyIt },
              client_authentication: { method, certificate: cert, private_key: key },
            },
          },
        },
        {},
      );
      return clientCredentialsActor((made as AgentTokenService).service)({});
    };

    expect(await granted(authority)).toMatchObject({ type: TOKEN_TYPE.accessToken });
    await expect(granted(other)).rejects.toMatchObject({ code: 'sts_unreachable' });
  },
);

import { type Handler, never, type Received } from '../../support/loopback.ts';
import type { FaultRow } from '../row.ts';
import { bare, redirect } from './handlers.ts';
import { withRotatedKeys } from './key-rotation.ts';

const refuse = bare(401, { 'www-authenticate': 'Bearer error="invalid_token"' });
const nothingSent = { sts: 0, mcp: 0 } as const;

/** Refuses requests of which this holds. */
const refusing =
  (isRefused: (request: Received) => boolean): Handler =>
  (request, response) =>
    isRefused(request) ? refuse(request, response) : void response.end('done');

/** Refuses the token that comes first, for ever. */
function refusingFirstToken(): Handler {
  let token: string | undefined;
  return refusing(({ headers }) => {
    token ??= headers.authorization;
    return headers.authorization === token;
  });
}

/** What an MCP server can do with a token, and where a token must not go. */
export const serverRows: readonly FaultRow[] = [
  {
    fault: 'MCP server: 401 once, then takes a new token',
    ...{ outcome: ['ok', 'ok'], sts: 2, mcp: 3 },
    server: () => refusingFirstToken(),
    async play({ call }) {
      await call();
      await call();
    },
  },
  {
    fault: 'MCP server: 401 for ten callers with one token',
    ...{ outcome: Array.from({ length: 10 }, () => 'ok'), sts: 2, mcp: 20 },
    ...refusedTogether(10),
  },
  {
    fault: 'MCP server: 401 for ever',
    ...{ outcome: 'server_rejected_token denied', sts: 2, mcp: 2 },
    server: () => refuse,
  },
  {
    fault: 'MCP server: 401 to a body that can be sent once only',
    ...{ outcome: ['server_rejected_token denied', 'ok'], sts: 2, mcp: 2 },
    server: () => refusingFirstToken(),
    async play({ call }) {
      await call({ body: new Blob(['{}']).stream() });
      await call();
    },
  },
  {
    fault: 'MCP server: 401 that names metadata elsewhere',
    ...{ outcome: 'server_rejected_token denied', sts: 2, mcp: 2 },
    given({ mcp, elsewhere }) {
      mcp.handle(bare(401, { 'www-authenticate': `Bearer resource_metadata="${elsewhere.origin}/prm"` }));
      return {};
    },
  },
  {
    fault: 'MCP server: 401, and the STS is down by then',
    ...{ outcome: 'sts_error unavailable', sts: 4, mcp: 1 },
    given({ mcp, sts }) {
      mcp.handle((request, response) => {
        sts.handle(bare(503));
        refuse(request, response);
      });
      return {};
    },
  },
  {
    fault: 'MCP server: 403',
    ...{ outcome: 'insufficient_scope denied', sts: 1, mcp: 1 },
    server: () => bare(403, { 'www-authenticate': 'Bearer error="insufficient_scope"' }),
  },
  { fault: 'MCP server: 500', ...{ outcome: 'http 500', sts: 1, mcp: 1 }, server: () => bare(500) },
  ...[302, 307, 308].map(
    (status): FaultRow => ({
      fault: `MCP server: ${status} to another host`,
      ...{ outcome: 'server_failed misconfigured', sts: 1, mcp: 1 },
      given({ mcp, elsewhere }) {
        mcp.handle(redirect(status, elsewhere, '/mcp'));
        return {};
      },
    }),
  ),
  {
    fault: 'MCP server: down, connection refused',
    ...{ outcome: 'server_unreachable unavailable', sts: 1, mcp: 0 },
    given: async ({ mcp }) => {
      await mcp.close();
      return {};
    },
  },
  {
    fault: 'MCP server: reset in the middle of the body',
    ...{ outcome: 'TypeError: terminated', sts: 1, mcp: 1 },
    server: () => (_request, response) => {
      response.writeHead(200, { 'content-length': '500' });
      response.write('{', () => response.socket?.resetAndDestroy());
    },
  },
  {
    fault: 'MCP server: never answers, and the caller gives up',
    ...{ outcome: 'aborted', sts: 1, mcp: 1 },
    server: () => never,
    async play({ call, places }) {
      const user = new AbortController();
      const called = call({ signal: user.signal });
      await places.mcp.arrived(1);
      user.abort(new Error('the user has left'));
      await called;
    },
  },
  {
    fault: 'caller: asks for a URL on another host',
    ...{ outcome: 'url_not_pinned misconfigured', ...nothingSent },
    play: ({ call, places }) => call({ url: `${places.elsewhere.origin}/mcp` }),
  },
  {
    fault: 'caller: asks for a path beside that of the server',
    ...{ outcome: 'url_not_pinned misconfigured', ...nothingSent },
    play: ({ call, places }) => call({ url: `${places.mcp.origin}/mcp/..%2fadmin` }),
  },
  {
    fault: 'caller: in nobody’s run',
    ...{ outcome: 'delegation_missing misconfigured', ...nothingSent },
    play: ({ call }) => call({ delegation: () => undefined }),
  },
  {
    fault: 'caller: in a run of another broker',
    ...{ outcome: 'delegation_missing misconfigured', ...nothingSent },
    play: ({ call, replica, run }) => call({ delegation: () => run(replica()) }),
  },
  {
    fault: 'STS: its signing key rotated, the MCP server knows the new one only',
    given: withRotatedKeys,
    ...{ outcome: ['ok', 'ok'], sts: 2, mcp: 3 },
  },
];

/** The server answers when all have come, so that all were sent with the same token. */
function refusedTogether(count: number): Pick<FaultRow, 'server' | 'play'> {
  return {
    server() {
      const serve = refusingFirstToken();
      let waiting: (() => void)[] = [];
      return (request, response) => {
        waiting.push(() => serve(request, response));
        if (waiting.length < count) return;
        for (const answer of waiting) answer();
        waiting = [];
      };
    },
    play: ({ call }) => Promise.all(Array.from({ length: count }, () => call())),
  };
}

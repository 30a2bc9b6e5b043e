// What the delegated fetch itself takes at a kept token, without a network: its `fetch` answers at once.
import { createBroker, createTokenService, type Delegation, resolveTarget, runAs } from 'onbehalf';
import { createDelegatedFetch } from 'onbehalf/mcp';
import { grantInProcess, subjectToken } from '../broker/token-endpoint.ts';
import { type Call, inRounds, type Times } from './rounds.ts';

const URL_OF_SERVER = 'http://127.0.0.1:9/mcp';
const ROUNDS = { rounds: 150, turns: 2, calls: 50 };

/** How the server, or the option `failures`, differs. */
const CASES = {
  'no MCP session': { session: false, repeats: false, failures: 'throw' },
  "in a client's session": { session: true, repeats: false, failures: 'throw' },
  'the server repeats the session id': { session: true, repeats: true, failures: 'throw' },
  "in a client's session, failures: tool_result": { session: true, repeats: false, failures: 'tool_result' },
} as const;

export type WrapperCase = keyof typeof CASES;

export interface Wrapper {
  /** What a call takes more than a bare one, in microseconds. */
  readonly cases: Readonly<Record<WrapperCase, { readonly bare: Times; readonly over: Times }>>;
  /** What is in it, in microseconds each. */
  readonly parts: Readonly<
    Record<'broker.token()' | 'copy of the header fields' | 'JSON.parse of the body', Times>
  >;
}

const BODY = JSON.stringify({
  ...{ jsonrpc: '2.0', id: 7, method: 'tools/call' },
  params: { name: 'echo', arguments: { text: 'a'.repeat(100) }, _meta: { progressToken: 7 } },
});

export async function benchWrapper(): Promise<Wrapper> {
  const tokenService = createTokenService({
    ...{ tokenEndpoint: 'http://127.0.0.1:9/token', clientId: 'bench-agent', fetch: grantInProcess },
  });
  const broker = createBroker({ tokenService });
  const delegation = broker.begin({ subjectToken: subjectToken('alice') });
  const cases = {} as Record<WrapperCase, { bare: Times; over: Times }>;
  for (const [name, { session, repeats, failures }] of Object.entries(CASES)) {
    const server = stubServer(repeats);
    const fetch = createDelegatedFetch({
      ...{ broker, url: URL_OF_SERVER, target: 'calendar', fetch: server, failures },
    });
    const init = session ? inSession(await connect(fetch)) : inSession(undefined);
    cases[name as WrapperCase] = await runAs(delegation, () => measure(fetch, server, init));
    await fetch.close();
  }
  const parts = await partsOf(broker, delegation);
  broker.close();
  return { cases, parts };
}

async function measure(
  fetch: typeof globalThis.fetch,
  server: typeof globalThis.fetch,
  init: RequestInit,
): Promise<{ bare: Times; over: Times }> {
  // As the SDK's transport calls it.
  const url = new URL(URL_OF_SERVER);
  const { status } = await fetch(url, { ...init });
  if (status !== 200) throw new Error(`the delegated fetch answered with ${status}`);
  const { times, difference } = await inRounds(
    { ours: () => fetch(url, { ...init }), bare: () => server(url, { ...init }) },
    ROUNDS,
  );
  return { bare: times.bare, over: difference('ours', 'bare') };
}

async function partsOf(
  broker: ReturnType<typeof createBroker>,
  delegation: Delegation,
): Promise<Wrapper['parts']> {
  const target = resolveTarget('calendar');
  const { headers, signal } = inSession('a-session');
  const now =
    (make: () => unknown): Call =>
    async () =>
      void make();
  await broker.token(delegation, target);
  const { times, difference } = await inRounds(
    {
      nothing: now(() => undefined),
      token: () => broker.token(delegation, target, { signal: signal as AbortSignal }),
      copy: now(() => new Headers(headers)),
      parse: now(() => JSON.parse(BODY)),
    },
    ROUNDS,
  );
  return {
    'broker.token()': times.token,
    'copy of the header fields': difference('copy', 'nothing'),
    'JSON.parse of the body': difference('parse', 'nothing'),
  };
}

/** A request as the SDK's transport makes it. */
function inSession(id: string | undefined): RequestInit {
  const headers = new Headers({
    ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    'mcp-protocol-version': '2025-11-25',
  });
  if (id !== undefined) headers.set('mcp-session-id', id);
  return { method: 'POST', headers, body: BODY, signal: new AbortController().signal };
}

/** The client connects for nobody, so the user's session is another. */
async function connect(fetch: typeof globalThis.fetch): Promise<string> {
  const { headers } = inSession(undefined);
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'bench', version: '1.0.0' },
  };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
  const response = await fetch(URL_OF_SERVER, { method: 'POST', headers: headers as Headers, body });
  return response.headers.get('mcp-session-id') ?? '';
}

/** Answers at once. @param repeats - whether each answer has the session's id */
function stubServer(repeats: boolean): typeof globalThis.fetch {
  const json = { 'content-type': 'application/json' };
  const opened = JSON.stringify({ jsonrpc: '2.0', id: 0, result: { protocolVersion: '2025-11-25' } });
  const called = JSON.stringify({
    jsonrpc: '2.0',
    id: 7,
    result: { content: [{ type: 'text', text: 'ok' }] },
  });
  let sessions = 0;
  return async (_url, init) => {
    if (init?.body === BODY) {
      return new Response(called, {
        headers: repeats ? { ...json, 'mcp-session-id': `session-${sessions}` } : json,
      });
    }
    if (!String(init?.body).includes('"initialize"')) return new Response(null, { status: 202 });
    sessions += 1;
    return new Response(opened, { headers: { ...json, 'mcp-session-id': `session-${sessions}` } });
  };
}

// An adapter made for the suite and no part of Onbehalf: right in all that the suite looks at, so it passes, while what is
// broken in one place of it (broken.ts) must not. It speaks MCP by hand, so that each habit has one place.
import type { Broker, Delegation } from '../../src/index.ts';
import type { ClientUnderTest, ClientWorld, RunningClient, TestServer } from './client-under-test.ts';

/** What an adapter does at each place where it can be wrong. */
export interface Habits {
  /** Whose session a call is made in. */
  readonly sessionKey: (user: Delegation, server: TestServer) => string;
  /** The token for a request, or none. */
  readonly token: (asked: TokenRequest) => Promise<string | undefined>;
  readonly send: (url: string, init: RequestInit) => Promise<Response>;
  /** Whether to make a call once more that failed so: with a status, or without an answer. */
  readonly again: (status: number | undefined) => boolean;
  /** Whether sessions are ended at their server. */
  readonly ends: boolean;
}

/** For whom a token is asked, in whose session, and where. */
export interface TokenRequest {
  readonly user: Delegation;
  readonly opener: Delegation;
  readonly server: TestServer;
  readonly broker: Broker;
}

export const keptToken = async ({ broker, user, server }: TokenRequest): Promise<string> =>
  (await broker.token(user, server.audience)).accessToken;

const RIGHT: Habits = {
  sessionKey: (user, { name }) => `${user.id} ${name}`,
  token: keptToken,
  send: (url, init) => fetch(url, { ...init, redirect: 'manual' }),
  // The server does not know the session, so it did nothing.
  again: (status) => status === 404,
  ends: true,
};

/** An adapter with these habits, and for the rest the right ones. */
export function adapter(name: string, habits: Partial<Habits> = {}): ClientUnderTest {
  return { name, start: async (world) => start(world, { ...RIGHT, ...habits }) };
}

interface Session {
  readonly opener: Delegation;
  readonly id: string;
}

type Message = { readonly method: string; readonly id?: number; readonly params?: object };

function start({ broker, servers }: ClientWorld, habits: Habits): RunningClient {
  const sessions = new Map<string, Promise<Session>>();
  const ending: Promise<unknown>[] = [];
  const stops: (() => void)[] = [];
  let ids = 0;
  const nextId = (): number => ++ids;

  const post = async (
    user: Delegation,
    server: TestServer,
    { session, ...message }: Message & { session?: Session },
  ): Promise<Response> => {
    const asked = { broker, server, user, opener: session?.opener ?? user };
    const send = (token: string | undefined): Promise<Response> =>
      habits.send(server.url, {
        method: 'POST',
        headers: headersOf(server, session?.id, token),
        body: JSON.stringify({ jsonrpc: '2.0', ...message }),
      });
    const token = await habits.token(asked);
    let response = await send(token);
    if (response.status === 401 && token !== undefined) {
      await response.body?.cancel();
      broker.reject(user, server.audience, token);
      response = await send(await habits.token(asked));
    }
    if (response.ok) return response;
    await response.body?.cancel();
    throw Object.assign(new Error(`status ${response.status}`), { status: response.status });
  };

  const open = async (user: Delegation, server: TestServer): Promise<Session> => {
    const read = broker.reader(user, server.audience);
    const params = {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'reference', version: '1' },
    };
    const response = await post(user, server, { method: 'initialize', id: 0, params });
    await response.text();
    const session = { opener: user, id: response.headers.get('mcp-session-id') ?? '' };
    stops.push(
      broker.onGroupEnd((group) => {
        if (group !== user.group || !habits.ends) return;
        const init = { method: 'DELETE', headers: headersOf(server, session.id, read()?.accessToken) };
        ending.push(
          fetch(server.url, init).then(
            (answer) => answer.text(),
            () => {},
          ),
        );
      }),
    );
    await (await post(user, server, { method: 'notifications/initialized', session })).text();
    return session;
  };

  const call = async (user: Delegation, server: TestServer, params: object, tries = 4): Promise<string> => {
    const key = habits.sessionKey(user, server);
    const opening = sessions.get(key) ?? open(user, server);
    sessions.set(key, opening);
    try {
      const response = await post(user, server, {
        method: 'tools/call',
        id: nextId(),
        params,
        session: await opening,
      });
      return resultIn(await response.text());
    } catch (error) {
      const { status, code } = error as { status?: number; code?: unknown };
      const failed = await opening.then(
        () => false,
        () => true,
      );
      if ((failed || status === 404) && sessions.get(key) === opening) sessions.delete(key);
      if (tries === 0 || code !== undefined || !habits.again(status)) throw error;
      return call(user, server, params, tries - 1);
    }
  };

  return {
    call(user, name, tool, args) {
      const server = servers.find((one) => one.name === name) as TestServer;
      return call(user, server, { name: tool, arguments: args });
    },
    async close() {
      for (const stop of stops) stop();
      await Promise.all(ending);
    },
  };
}

function headersOf(
  server: TestServer,
  session: string | undefined,
  token: string | undefined,
): Record<string, string> {
  return {
    ...server.headers,
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(session === undefined ? {} : { 'mcp-session-id': session }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
}

/** The text of the tool's result in a body: JSON, or an event stream that holds it. */
function resultIn(body: string): string {
  const message = JSON.parse(body.startsWith('{') ? body : (/^data: (\{.*)$/m.exec(body)?.[1] ?? '{}'));
  return String(message.result?.content?.[0]?.text);
}

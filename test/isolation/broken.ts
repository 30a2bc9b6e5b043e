// Adapters that are wrong in one place each, in ways that adapters have been. The suite must catch every one.
import { currentDelegation } from '../../src/index.ts';
import type { ClientUnderTest } from './client-under-test.ts';
import { adapter, type Habits, keptToken, type TokenRequest } from './reference.ts';
import type { IsolationOptions } from './run.ts';

export interface BrokenAdapter {
  readonly client: ClientUnderTest;
  /** What the judge has to say of it, among other things. */
  readonly problems: readonly string[];
  readonly options?: Pick<IsolationOptions, 'onUser'>;
}

const ofServer: Habits['sessionKey'] = (_user, { name }) => name;

/** What to do for a token where there is none for the user. */
const instead =
  (fallback: (asked: TokenRequest) => string | undefined | Promise<string | undefined>): Habits['token'] =>
  (asked) =>
    keptToken(asked).catch(() => fallback(asked));

/** Keeps tokens itself, by a key. */
function keeping(keyOf: (asked: TokenRequest) => string): Habits['token'] {
  const kept = new Map<string, string>();
  return async (asked) => {
    const token = kept.get(keyOf(asked)) ?? (await keptToken(asked));
    kept.set(keyOf(asked), token);
    return token;
  };
}

const followWithAll: Habits['send'] = async (url, init) => {
  const response = await fetch(url, { ...init, redirect: 'manual' });
  const location = response.headers.get('location');
  return location === null ? response : followWithAll(location, init);
};

/** Makes the adapters, each with state of its own. */
export function brokenAdapters(): readonly BrokenAdapter[] {
  const subjectTokens = new WeakMap<object, string>();
  return [
    {
      client: adapter('keeps the first token for all users', { token: keeping(({ server }) => server.name) }),
      problems: ['calls under another identity'],
    },
    {
      client: adapter('reads the user when it connects', {
        sessionKey: ofServer,
        token: ({ opener, ...asked }) => keptToken({ ...asked, opener, user: opener }),
      }),
      problems: ['calls under another identity'],
    },
    {
      client: adapter('takes the user from where a call is begun', {
        token: ({ user, ...asked }) => keptToken({ ...asked, user: currentDelegation() ?? user }),
      }),
      problems: ['calls under another identity'],
    },
    {
      client: adapter('shares one session among users', { sessionKey: ofServer }),
      problems: ['requests in the session of another'],
    },
    {
      client: adapter('follows redirects with all it has', { send: followWithAll }),
      problems: ['requests with a credential at the thief'],
    },
    {
      client: adapter('leaves redirects to fetch', { send: (url, init) => fetch(url, init) }),
      problems: ['requests with a credential at the thief'],
    },
    {
      client: adapter('goes without a token when there is none', { token: instead(() => undefined) }),
      problems: ['calls without a token', 'calls sent for the denied user'],
    },
    {
      client: adapter('falls back to the subject token', {
        token: instead(({ user }) => subjectTokens.get(user)),
      }),
      problems: ['requests with a token that is not for the server'],
      options: { onUser: (delegation, subjectToken) => void subjectTokens.set(delegation, subjectToken) },
    },
    {
      client: adapter('falls back to the token of the agent', {
        token: instead(async ({ server }) => {
          const token = await server.agentCredential({});
          return typeof token === 'string' ? token : token.token;
        }),
      }),
      problems: ['calls under another identity'],
    },
    {
      client: adapter('makes a call again that may have been carried out', {
        again: (status) => status === undefined || status === 404 || status >= 500,
      }),
      problems: ['calls carried out twice'],
    },
    {
      client: adapter('exchanges for each call', {
        async token(asked) {
          asked.broker.reject(asked.user, asked.server.audience, await keptToken(asked));
          return keptToken(asked);
        },
      }),
      problems: ['users with too many exchanges'],
    },
    {
      client: adapter('uses a token beyond the subject token', {
        token: keeping(({ user, server }) => `${user.id} ${server.name}`),
      }),
      problems: ['calls sent after the subject token had expired'],
    },
    {
      client: adapter('ends no session', { ends: false }),
      problems: ['sessions left open'],
    },
    {
      client: adapter('mixes up answers', { send: lateAnswers() }),
      problems: ['calls under another identity'],
    },
    {
      client: adapter('gives up at each call', { send: () => Promise.reject(new TypeError('not today')) }),
      problems: ['client that never got an answer', 'calls that ended as they should not'],
    },
  ];
}

/** Gives each answer to whoever asked next, as a client does that knows its requests by number alone. */
function lateAnswers(): Habits['send'] {
  let last: string | undefined;
  return async (url, init) => {
    const response = await fetch(url, { ...init, redirect: 'manual' });
    if (!String(init.body).includes('tools/call') || !response.ok) return response;
    const text = await response.text();
    const given = last ?? text;
    last = text;
    return new Response(given, { status: 200, headers: response.headers });
  };
}

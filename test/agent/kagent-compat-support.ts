// What the compatibility list of kagent is tested on: an STS that says yes and keeps what it was sent, and an agent that uses it.
import { setLogger } from '@google/adk';
import { decodeJwt } from 'jose';
import { onTestFinished, vi } from 'vitest';
import type { AgentServer, AgentServerOptions } from '../../src/agent/types.ts';
import { fakeJwt, seconds } from '../support/jwt.ts';
import { json, type Received, startLoopback } from '../support/loopback.ts';
import type { RawMcp } from '../support/raw-mcp.ts';
import { type Answer, playing, serve, startKeeper } from './support.ts';

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const LIFETIME_S = 300;
const DAY_S = 86_400;

/** Makes a token of a user, of some issuer behind the proxy. */
export const tokenOf = (sub: string, more: object = {}): string =>
  fakeJwt({ iss: 'https://idp.example', sub, exp: seconds(Date.now()) + DAY_S, ...more });

/** What {@link startWillingSts} gives. */
export interface WillingSts {
  /** Whether it answers by other than 503. */
  readonly state: { isUp: boolean };
  readonly origin: string;
  readonly host: string;
  /** Tokens that it made, in order. */
  readonly issued: readonly string[];
  readonly received: readonly Received[];
  exchanges(): readonly Received[];
  /** Requests of the agent for a token of its own. */
  ofAgent(): readonly Received[];
  metadata(): readonly Received[];
}

/** An STS that says yes to everybody, keeps what it was sent, and can be told to fail. */
async function startWillingSts(): Promise<WillingSts> {
  const state = { isUp: true };
  const issued: string[] = [];
  const loopback = await startLoopback((seen, response) => {
    const { origin } = loopback;
    if (!state.isUp) return json(response, {}, { status: 503 });
    if (seen.method === 'GET') return json(response, { issuer: origin, token_endpoint: `${origin}/token` });
    const access_token = fakeJwt(claimsFor(seen.form));
    issued.push(access_token);
    json(response, { access_token, ...ANSWER });
  });
  const sent = (grant: string): readonly Received[] =>
    loopback.received.filter(({ form }) => form.get('grant_type') === grant);
  return {
    ...{ state, issued, origin: loopback.origin, host: loopback.host },
    get received() {
      return loopback.received;
    },
    exchanges: () => sent(EXCHANGE),
    ofAgent: () => sent('client_credentials'),
    metadata: () => loopback.received.filter(({ method }) => method === 'GET'),
  };
}

const ANSWER = {
  ...{ token_type: 'Bearer', expires_in: LIFETIME_S },
  issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
};

function claimsFor(form: URLSearchParams): Record<string, unknown> {
  const exp = seconds(Date.now()) + LIFETIME_S;
  const [subject, actor] = [form.get('subject_token'), form.get('actor_token')];
  if (subject === null) return { iss: 'sts', sub: 'helper', exp };
  return {
    ...{ iss: 'sts', sub: decodeJwt(subject).sub, exp },
    aud: [...form.getAll('audience'), ...form.getAll('resource')],
    ...(actor !== null && { act: { sub: decodeJwt(actor).sub } }),
    ...(form.has('scope') && { scope: form.get('scope') }),
  };
}

interface Settings {
  /** Of the token service. */
  readonly service?: (sts: WillingSts) => object;
  /** What the server says of its tokens. */
  readonly target?: object;
  readonly retention?: string;
  readonly options?: Partial<AgentServerOptions>;
}

/** An agent whose model calls one tool of one server, behind a proxy that has verified its callers. */
export async function setAgent({ service = () => ({}), target, retention = 'run', options }: Settings = {}) {
  // ADK's would go to stdout.
  setLogger(null);
  const [sts, keeper] = [await startWillingSts(), await startKeeper('look')];
  const server = await serve(
    {
      ...{ name: 'team/helper', model: playing(['look']), authentication: { mode: 'trusted_proxy' } },
      http_tools: [
        {
          ...{ name: 'calendar', params: { url: keeper.url }, discovery: 'anonymous' },
          token_exchange: target ?? { audiences: ['calendar'] },
        },
      ],
      token_exchange: {
        token_services: {
          sts: {
            metadata_url: `${sts.origin}/.well-known/oauth-authorization-server`,
            client_id: 'helper',
            ...service(sts),
          },
        },
        retention,
      },
    },
    { adminPort: 0, ...options },
  );
  return { sts, keeper, server };
}

/** How many tokens an agent server keeps. */
export async function kept({ adminUrl }: AgentServer): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  return Number(/^onbehalf_agent_tokens (\d+)$/m.exec(text)?.[1]);
}

/** Stops the clock for whoever asks for the date from now on, until the end of the test; what it gives lets so much time go by. */
export function stopClock(): (ms: number) => void {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  return (ms) => void vi.setSystemTime(Date.now() + ms);
}

/** In which state a message left its task. */
export const stateOf = ({ body }: Answer): unknown => body.result?.status.state;

/** How many tool calls it got. */
export const calls = (keeper: RawMcp): number => keeper.of('tools/call').length;

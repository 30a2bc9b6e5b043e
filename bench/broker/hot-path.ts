// What a request pays for a token that is kept, and for one that is not; ours and two peers side by side.
import { ExternalAccountClient, type IdentityPoolClient } from 'google-auth-library';
import * as oauth from 'oauth4webapi';
import { createBroker, createTokenService, resolveTarget } from 'onbehalf';
import { createHeaderProvider } from 'onbehalf/adk';
import { median } from '../stats.ts';
import { startTokenEndpoint, subjectToken } from './token-endpoint.ts';

const AUDIENCE = 'calendar';
const ROUNDS = 9;
const EXCHANGES = 100;

/** Medians over the rounds; contenders take turns in each round, since the machine's load changes between rounds. */
export interface HotPath {
  /** Microseconds. */
  readonly headerOurs: number;
  readonly tokenOurs: number;
  readonly headerGoogle: number;
  /** Milliseconds. */
  readonly exchangeOurs: number;
  readonly exchangeOauth4webapi: number;
  readonly exchangeGoogle: number;
}

export async function benchHotPath(): Promise<HotPath> {
  // google-auth-library takes a token of less than five minutes for one that has expired.
  const endpoint = await startTokenEndpoint({ expiresIn: 3600 });
  const tokenService = createTokenService({ tokenEndpoint: endpoint.url, clientId: 'bench-agent' });
  const broker = createBroker({ tokenService, retention: 'subject' });
  try {
    const target = resolveTarget(AUDIENCE);
    const delegation = broker.begin({ subjectToken: subjectToken('alice') });
    const header = createHeaderProvider({ broker, target, delegation: () => delegation });
    const google = googleClient(endpoint.url, 'alice');
    await broker.token(delegation, target);
    await google.getRequestHeaders();
    const contenders = {
      headerOurs: () => timeSync(200_000, header),
      tokenOurs: () => timeAsync(100_000, () => broker.token(delegation, target)),
      headerGoogle: () => timeAsync(50_000, () => google.getRequestHeaders()),
      exchangeOurs: () => exchangesOfOurs(broker),
      exchangeOauth4webapi: () => exchangesOfOauth4webapi(endpoint.url),
      exchangeGoogle: () => exchangesOfGoogle(endpoint.url),
    };
    const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, [] as number[]]));
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const [name, run] of Object.entries(contenders)) {
        const took = await run();
        // The first round warms up.
        if (round > 0) times[name]?.push(took);
      }
    }
    return Object.fromEntries(
      Object.entries(times).map(([name, values]) => [name, median(values)]),
    ) as unknown as HotPath;
  } finally {
    broker.close();
    await endpoint.close();
  }
}

/** Microseconds for one. */
function timeSync(times: number, run: () => unknown): number {
  const start = performance.now();
  for (let index = 0; index < times; index += 1) run();
  return ((performance.now() - start) / times) * 1000;
}

async function timeAsync(times: number, run: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let index = 0; index < times; index += 1) await run();
  return ((performance.now() - start) / times) * 1000;
}

let users = 0;

/** Milliseconds for one exchange, each for another user, so that nothing is kept that helps. */
async function each(run: (user: string) => Promise<unknown>): Promise<number> {
  const names = Array.from({ length: EXCHANGES }, () => `user-${users++}`);
  const start = performance.now();
  for (const name of names) await run(name);
  return (performance.now() - start) / EXCHANGES;
}

function exchangesOfOurs(broker: ReturnType<typeof createBroker>): Promise<number> {
  return each(async (user) => {
    const delegation = broker.begin({ subjectToken: subjectToken(user) });
    await broker.token(delegation, AUDIENCE);
    broker.end(delegation);
  });
}

/** The two library calls that a program makes without us, and none of the checks. */
function exchangesOfOauth4webapi(url: string): Promise<number> {
  const as = { issuer: url, token_endpoint: url };
  const client = { client_id: 'bench-agent' };
  return each(async (user) => {
    const response = await oauth.genericTokenEndpointRequest(
      as,
      client,
      oauth.None(),
      'urn:ietf:params:oauth:grant-type:token-exchange',
      new URLSearchParams({
        audience: AUDIENCE,
        subject_token: subjectToken(user),
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),
      { [oauth.allowInsecureRequests]: true },
    );
    return oauth.processGenericTokenEndpointResponse(as, client, response);
  });
}

function exchangesOfGoogle(url: string): Promise<number> {
  return each((user) => googleClient(url, user).getRequestHeaders());
}

function googleClient(url: string, user: string): IdentityPoolClient {
  return ExternalAccountClient.fromJSON({
    type: 'external_account',
    audience: AUDIENCE,
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_url: url,
    subject_token_supplier: { getSubjectToken: async () => subjectToken(user) },
  } as never) as IdentityPoolClient;
}

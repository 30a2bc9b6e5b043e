import { createBroker } from '../../src/broker/broker.ts';
import type { Delegation } from '../../src/broker/delegation.ts';
import type { Broker, BrokerOptions } from '../../src/broker/types.ts';
import { runAs } from '../../src/context/carrier.ts';
import type { Target } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { createDelegatedFetch } from '../../src/mcp/delegated-fetch.ts';
import { subjectJwt } from '../support/sts.ts';
import { createCalls } from './calls.ts';
import { createOnlooker } from './onlooker.ts';
import type { Places } from './places.ts';
import type { Call, FaultRow, Given, World } from './row.ts';
import { usualActor, usualService } from './usual.ts';

/** A world, and what the one who judges it looks at. */
export interface Staged extends World {
  readonly outcomes: readonly string[];
  readonly target: Target;
  exchanges(): number;
  play(): Promise<void>;
  /** Whatever could show a secret, by name. */
  evidence(): Promise<Readonly<Record<string, unknown>>>;
}

/** Builds the real parts of a row around its fault. */
export async function stage(row: FaultRow, places: Places): Promise<Staged> {
  if (row.answers) places.sts.handle(row.answers());
  if (row.server) places.mcp.handle(row.server());
  const given = (await row.given?.(places)) ?? {};
  const { target = { audience: 'calendar' } } = given;
  const service = createTokenService({ ...usualService(places), ...given.service });
  const onlooker = await createOnlooker();
  const { observer } = onlooker;
  const brokers = createBrokers(given, places, {
    tokenService: service,
    actor: usualActor(places),
    observer,
  });
  const { outcomes, errors, ...calls } = createCalls(sender(places, brokers, target), row.shows);
  const world: World = { places, service, ...brokers, ...calls };
  return {
    ...{ ...world, outcomes, target },
    exchanges: given.exchanges ?? (() => places.sts.received.filter(({ path }) => path === '/token').length),
    async play() {
      await (given.play ?? row.play ?? (({ call }) => call()))(world);
    },
    evidence: async () => ({
      ...(await onlooker.heard()),
      ...{ 'an error': errors, 'the service': service, 'a broker': brokers.all },
      ...{ 'the stats': brokers.all.map((one) => one.stats()), 'a delegation': brokers.delegations() },
      ...places.watched,
    }),
  };
}

interface Brokers extends Pick<World, 'broker' | 'replica' | 'run'> {
  readonly all: readonly Broker[];
  delegations(): readonly Delegation[];
}

/** The brokers of a row, and the user's run at each. */
function createBrokers(given: Given, places: Places, usual: BrokerOptions): Brokers {
  const { subject = { token: subjectJwt('alice') } } = given;
  if (subject.token !== undefined) places.secret(subject.token);
  const all: Broker[] = [];
  const runs = new Map<Broker, Delegation>();
  const replica = (options: Partial<BrokerOptions> = {}): Broker => {
    const made = createBroker({ ...usual, deadlineMs: 10_000, ...given.broker, ...options });
    places.atEnd(made.close);
    all.push(made);
    return made;
  };
  const broker = replica();
  return {
    ...{ broker, replica, all },
    run(by = broker) {
      const delegation = runs.get(by) ?? by.begin({ subjectToken: subject.token });
      runs.set(by, delegation);
      return delegation;
    },
    delegations: () => [...runs.values()],
  };
}

/** Sends a call through a delegated fetch, as an MCP client would. */
function sender(places: Places, brokers: Brokers, target: Target): (call: Call) => Promise<Response> {
  const url = `${places.mcp.origin}/mcp`;
  return async ({ broker = brokers.broker, ...call }) => {
    const fetch = createDelegatedFetch({ broker, url, target });
    const who = call.delegation ? call.delegation() : brokers.run(broker);
    const { body = '{"method":"tools/call"}', signal = null } = call;
    // A stream can be sent half-duplex only, which the type does not know.
    const init = { method: 'POST', signal, body, duplex: 'half' } as RequestInit;
    const ask = (): Promise<Response> => fetch(call.url ?? url, init);
    return who === undefined ? ask() : runAs(who, ask);
  };
}

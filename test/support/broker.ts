import { onTestFinished } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import type { Delegation } from '../../src/broker/delegation.ts';
import type { Broker, BrokerOptions } from '../../src/broker/types.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import type { DevelopmentSts, DevelopmentStsOptions } from '../../src/sts/index.ts';
import { AGENT, type Bend, type PlainSts, serviceOf, startPlainSts, startSts } from './sts.ts';

type MoreOptions = Omit<Partial<BrokerOptions>, 'tokenService'>;

export interface BrokerAtSts {
  readonly sts: DevelopmentSts;
  readonly broker: Broker;
  /** Begins a run of a user whose subject token was minted once. */
  begin(sub: string, session?: string): Delegation;
}

/** A broker at the development STS, both closed at the end of the test, and subject tokens of its users. */
export async function startBroker(
  options: MoreOptions = {},
  more: {
    readonly sts?: Partial<DevelopmentStsOptions>;
    readonly expiresIn?: number;
    readonly service?: Partial<TokenServiceOptions>;
  } = {},
): Promise<BrokerAtSts> {
  const sts = await startSts(more.sts);
  const broker = closedAtEnd(createBroker({ tokenService: serviceOf(sts, more.service), ...options }));
  const tokens = new Map<string, string>();
  for (const sub of ['alice', 'bob', 'carol']) {
    const { expiresIn = 300 } = more;
    tokens.set(sub, await sts.mintSubjectToken({ sub, audience: AGENT.clientId, expiresIn }));
  }
  return {
    sts,
    broker,
    begin: (sub, session) => broker.begin({ subjectToken: tokens.get(sub), session }),
  };
}

/** A broker at a token endpoint that grants everything; its own `service` cannot be discovered, it is known. */
export async function startPlainBroker(
  options: MoreOptions = {},
  bend?: Bend,
  service?: Partial<TokenServiceOptions>,
): Promise<{ readonly sts: PlainSts; readonly broker: Broker }> {
  const sts = await startPlainSts(bend, service);
  return { sts, broker: closedAtEnd(createBroker({ tokenService: sts.service, ...options })) };
}

export function closedAtEnd(broker: Broker): Broker {
  onTestFinished(() => broker.close());
  return broker;
}

import { Agent, createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { currentDelegation } from '../../src/context/carrier.ts';
import { createInbound } from '../../src/context/inbound.ts';
import { startPlainBroker } from '../support/broker.ts';
import { HOSTS, listen, runsEnded } from '../support/inbound.ts';
import { subjectJwt } from '../support/sts.ts';

const current = (): string => currentDelegation()?.subject.sub ?? 'nobody';
const tokens = new Map(Array.from({ length: 20 }, (_, user) => [`user-${user}`, subjectJwt(`user-${user}`)]));
const bearer = (sub: string): string => `Bearer ${tokens.get(sub)}`;

/** What a request is to do. */
interface Plan {
  readonly sub: string;
  readonly kind: 'text' | 'stream' | 'fail' | 'leave' | 'refused';
  /** How often the handler gives way to others. */
  readonly turns: number;
  readonly post: boolean;
}

const plans = fc.array(
  fc.record<Plan>({
    sub: fc.constantFrom(...tokens.keys()),
    kind: fc.constantFrom('text', 'text', 'stream', 'stream', 'fail', 'leave', 'refused'),
    turns: fc.nat({ max: 6 }),
    post: fc.boolean(),
  }),
  { minLength: 200, maxLength: 200 },
);

async function* watched(who: string, turns: number): AsyncGenerator<string> {
  for (let turn = 0; turn <= turns; turn += 1) {
    yield `${current()};`;
    await setImmediate();
    if (current() !== who) throw new Error('the stream goes on as somebody else');
  }
}

/** Connections are few and kept, so each is used for many users. */
async function ask(origin: string, agent: Agent, plan: Plan): Promise<string> {
  const { sub, kind, turns, post } = plan;
  const headers = { authorization: kind === 'refused' ? 'Bearer bad' : bearer(sub) };
  const path = `/${sub}/${kind}/${turns}`;
  const options = { agent, headers, path, method: post ? 'POST' : 'GET' };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    httpRequest(origin, options, resolve)
      .on('error', reject)
      .end(post ? JSON.stringify({ sub }) : '');
  });
  if (kind === 'leave') {
    response.destroy();
    return '';
  }
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return text;
}

const expected = ({ sub, kind, turns }: Plan): string =>
  ({
    text: `${sub};${sub}`,
    stream: `${sub};`.repeat(turns + 1),
    fail: 'failed',
    leave: '',
    refused: '{"error":"invalid_token","error_description":"the access token is malformed or not valid"}',
  })[kind];

test.each(Object.entries(HOSTS))(
  '%s: 200 requests at once on few connections: each sees its own delegation, and none is left',
  async (_, host) => {
    await fc.assert(
      fc.asyncProperty(plans, async (all) => {
        const { broker } = await startPlainBroker();
        // Each request that gets in ends a run group of its own.
        const ended = runsEnded(broker, all.filter(({ kind }) => kind !== 'refused').length);
        const inbound = createInbound({ broker, verify: () => setImmediate(true) });
        const wrong: string[] = [];
        const origin = await host(inbound, async (path) => {
          const [, who = '', kind, turns] = path.split('/');
          if (current() !== who) wrong.push(`${current()} in a request of ${who}`);
          const first = current();
          for (let turn = 0; turn < Number(turns); turn += 1) await setImmediate();
          if (kind === 'fail') throw new Error('as planned');
          return kind === 'text' ? `${first};${current()}` : watched(who, Number(turns));
        });
        const agent = new Agent({ keepAlive: true, maxSockets: 16 });
        const answers = await Promise.all(all.map((plan) => ask(origin, agent, plan)));
        await ended;
        agent.destroy();
        expect(wrong).toEqual([]);
        expect(answers).toEqual(all.map(expected));
        expect(broker.stats().delegations).toBe(0);
        expect(current()).toBe('nobody');
      }),
      { numRuns: 4 },
    );
  },
  60_000,
);

test('events of a request are never under the delegation of another on the same connection', async () => {
  const { broker } = await startPlainBroker();
  const inbound = createInbound({ broker, verify: 'elsewhere' });
  const seen: [who: string, path: string, event: string][] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    const note = (event: string) => () => void seen.push([current(), path, event]);
    note('request')();
    inbound.node(request, response, () => {
      note('handler')();
      request.on('data', note('data')).on('end', note('end')).on('close', note('closed'));
      response.on('finish', note('finish')).on('close', note('close'));
      request.on('end', () => response.end('done'));
    });
  });
  const origin = new URL(await listen(server));
  const ended = runsEnded(broker, 6);
  // All at once on one connection: the next is read while the one before is answered.
  const socket = connect(Number(origin.port), origin.hostname);
  const requests = Array.from({ length: 6 }, (_, index) => {
    const head = `POST /user-${index} HTTP/1.1\r\nhost: a\r\nauthorization: ${bearer(`user-${index}`)}`;
    return `${head}\r\ncontent-length: 4\r\n\r\nbody`;
  });
  socket.resume().write(requests.join(''));
  await ended;
  socket.destroy();
  expect(seen.filter(([, , event]) => event === 'end')).toHaveLength(6);
  for (const [who, path, event] of seen) {
    if (event === 'request') expect(who).toBe('nobody');
    if (event === 'handler') expect(`/${who}`).toBe(path);
    expect(['nobody', path.slice(1)], event).toContain(who);
  }
});

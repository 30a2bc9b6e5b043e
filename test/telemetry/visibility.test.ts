import { Writable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createBroker } from '../../src/broker/broker.ts';
import { clientCredentialsActor } from '../../src/core/actor.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { TOKEN_TYPE } from '../../src/core/token-types.ts';
import type { Fault } from '../../src/sts/index.ts';
import { type AuditRecord, ndjsonSink } from '../../src/telemetry/index.ts';
import { closedAtEnd } from '../support/broker.ts';
import { fakeJwt } from '../support/jwt.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { type Handler, json, startLoopback } from '../support/loopback.ts';
import { AGENT, granting, serviceOf, startSts, subjectJwt } from '../support/sts.ts';
import { type Sdk, startTelemetry } from './support.ts';

/** Telemetry with an audit log in memory. */
async function startLogged() {
  const lines: string[] = [];
  const records: AuditRecord[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const write = ndjsonSink(stream);
  const observed = await startTelemetry({
    audit(record) {
      records.push(record);
      return write(record);
    },
  });
  return { ...observed, lines, records };
}

/** Everything that leaves by an exporter or a sink. */
async function exported({ spans, metrics, lines, records }: Sdk & Awaited<ReturnType<typeof startLogged>>) {
  return {
    spans: spans().map(({ name, attributes, events, links, status, resource, instrumentationScope }) => ({
      ...{ name, attributes, events, links, status, resource: resource.attributes, instrumentationScope },
    })),
    metrics: await metrics(),
    lines: [...lines],
    records: [...records],
  };
}

const FAULTS: readonly (Fault | undefined)[] = [
  undefined,
  { kind: 'status', status: 400 },
  { kind: 'status', status: 503 },
  { kind: 'garbage' },
  { kind: 'error-body' },
  { kind: 'disconnect' },
  { kind: 'wrong-audience' },
  { kind: 'other-subject' },
  { kind: 'no-act' },
];

test.each(FAULTS)('with a real STS and the fault %j, no token and no secret is exported', async (fault) => {
  const tokens: string[] = [];
  const sts = await startSts({ onToken: (token) => tokens.push(token) });
  const observed = await startLogged();
  const tokenService = serviceOf(sts, { retry: { attempts: 1 } });
  const broker = closedAtEnd(
    createBroker({
      tokenService,
      actor: clientCredentialsActor(tokenService),
      observer: observed.observer,
    }),
  );
  const subjectToken = await sts.mintSubjectToken({ sub: 'alice', audience: AGENT.clientId });
  const run = broker.begin({ subjectToken });
  await broker.token(run, 'files');
  if (fault) sts.inject(fault);
  await Promise.allSettled([broker.token(run, 'calendar'), broker.token(run, 'calendar')]);
  // The subject token, the actor token, and what was issued.
  expect(tokens.length).toBeGreaterThanOrEqual(3);
  const all = await exported(observed);
  expect(all.records).toHaveLength(2);
  expect(all.spans.length).toBeGreaterThanOrEqual(3);
  expectNoLeak(all, [...tokens, AGENT.clientSecret]);
});

/** Looks like no token, so that nothing but knowing it can find it. */
const SECRET = 'fake pa55 w0rd&';

/** Ways in which an STS may show what it got, or what it was about to give. */
const SPELLINGS: readonly ((secret: string) => string)[] = [
  (secret) => secret,
  (secret) => `token ${secret} is not valid`,
  (secret) => `"${secret}"\n{"v":1,"event":"token_exchange","sub":"forged"}`,
  (secret) => encodeURIComponent(secret),
  (secret) => `Bearer ${secret}`,
  (secret) => secret.split('.').join(' . '),
  (secret) => secret.slice(0, -2),
];

test('an STS that answers with what it was sent, in any field and spelling, gets none of it exported', async () => {
  const observed = await startLogged();
  const server = await startLoopback(granting());
  const service = createTokenService({
    tokenEndpoint: `${server.origin}/token`,
    clientId: 'agent',
    clientAuth: { method: 'client_secret_post', clientSecret: SECRET },
    retry: { attempts: 1 },
    breaker: { failures: 1_000_000 },
  });
  const actor = fakeJwt({ sub: 'assistant', exp: 4_000_000_000 });
  const broker = closedAtEnd(
    createBroker({
      tokenService: service,
      actor: async () => ({ token: actor, type: TOKEN_TYPE.accessToken }),
      observer: observed.observer,
      refusalTtlMs: 0,
    }),
  );
  const field = fc.constantFrom(
    'error',
    'error_description',
    'error_uri',
    'issued_token_type',
    'token_type',
    'scope',
  );
  const what = fc.constantFrom('subject_token', 'actor_token', 'client_secret');
  const spelling = fc.constantFrom(...SPELLINGS);
  const status = fc.constantFrom(200, 400, 401, 403, 429, 500, 503);
  const answer = fc.record({ field, what, spelling, status, jwt: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(answer, async ({ field, what, spelling, status, jwt }) => {
      const issued = fakeJwt({ sub: 'alice', aud: 'calendar' });
      const handler: Handler = ({ form }, response) => {
        const text = spelling(form.get(what) ?? '');
        const granted = {
          access_token: issued,
          issued_token_type: TOKEN_TYPE.accessToken,
          token_type: 'Bearer',
        };
        const body = { ...(jwt ? granted : { error: 'invalid_grant' }), [field]: text };
        json(response, body, { status });
      };
      server.handle(handler);
      const subjectToken = subjectJwt('alice');
      const run = broker.begin({ subjectToken });
      await Promise.allSettled([broker.token(run, 'calendar'), broker.token(run, 'calendar')]);
      broker.end(run);
      expect(observed.lines.every((line) => line.split('\n').length === 2)).toBe(true);
      expectNoLeak(await exported(observed), [
        subjectToken,
        actor,
        issued,
        SECRET,
        encodeURIComponent(SECRET),
      ]);
      observed.lines.length = 0;
      observed.records.length = 0;
      observed.reset();
    }),
    { numRuns: 150 },
  );
  expect(server.received.length).toBeGreaterThanOrEqual(150);
});

test('a token in a claim of another token, or in a name that is asked for, is not exported', async () => {
  const observed = await startLogged();
  const server = await startLoopback(granting());
  const service = createTokenService({ tokenEndpoint: `${server.origin}/token`, clientId: 'agent' });
  const broker = closedAtEnd(createBroker({ tokenService: service, observer: observed.observer }));
  const inner = subjectJwt('mallory');
  const subjectToken = subjectJwt(`alice ${inner}`, { iss: `https://idp.example.com/${inner}` });
  const run = broker.begin({ subjectToken });
  await Promise.allSettled([broker.token(run, { audience: inner, scope: inner })]);
  const all = await exported(observed);
  expect(all.records).toHaveLength(1);
  expectNoLeak(all, [inner, subjectToken]);
});

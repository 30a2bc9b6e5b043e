import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { needsOf } from '../../src/agent/auth-required.ts';
import { type AgentRun, asRun } from '../../src/agent/caller.ts';
import { expectNoLeak } from '../support/leaks.ts';
import { always, startLoopback } from '../support/loopback.ts';
import {
  answerStatus,
  type CallingAgent,
  type Calls,
  callerOf,
  type FakeAgent,
  type FakeAnswer,
  remoteConfig,
  rpcError,
  said,
  setRemoteStage,
  startCaller,
  startFakeAgent,
  task,
} from './remote-agents-support.ts';
import type { Stage } from './support.ts';

const agentAt = (url: string, more: object = {}): object => ({
  ...{ name: 'callee', url, sts_audience: 'callee' },
  ...more,
});

/** What alice's agent is told of one call. */
async function askOnce(stage: Stage, agent: object, calls?: Calls) {
  const alice = await stage.token('alice');
  const [answer] = await startCaller(remoteConfig(stage, [agent]), calls).ask(alice);
  expectNoLeak(answer, stage.tokens);
  return answer;
}

const tokensAt = (agent: FakeAgent, method: string): string[] =>
  agent.of(method).map(({ authorization = '' }) => authorization.slice('Bearer '.length));

test('a token that is refused once is dropped, another is got, and the message is sent once more', async () => {
  const stage = await setRemoteStage();
  const answers = [answerStatus(401), () => said('Done.')];
  const callee = await startFakeAgent({
    'message/send': (request, seen) => (answers.shift() as FakeAnswer)(request, seen),
  });

  expect(await askOnce(stage, agentAt(callee.url))).toEqual({ state: 'completed', text: 'Done.' });

  const tokens = tokensAt(callee, 'message/send');
  expect([tokens.length, new Set(tokens).size]).toEqual([2, 2]);
  expect(tokens.map((token) => decodeJwt(token).aud)).toEqual(['callee', 'callee']);
});

test('a token that is refused twice is told to the model, in the words of an MCP tool', async () => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent({ 'message/send': answerStatus(401) });

  expect(await askOnce(stage, agentAt(callee.url))).toEqual({
    error: {
      ...{ code: 'server_rejected_token', failure: 'denied', server: 'callee', retryable: false },
      message: expect.stringContaining('refused the token (status 401)'),
    },
  });
  expect(callee.received.length).toBe(2);
});

test('an exchange that is refused is told, and nothing is sent', async () => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent();

  const { error } = await askOnce(stage, agentAt(callee.url, { sts_audience: 'unknown' }));

  expect(error).toMatchObject({ code: 'sts_error', server: 'callee', retryable: false });
  expect(callee.received).toEqual([]);
});

test('a redirect is not followed', async () => {
  const stage = await setRemoteStage();
  const elsewhere = await startLoopback(always({}));
  const callee = await startFakeAgent({
    'message/send': answerStatus(307, { location: `${elsewhere.origin}/agent` }),
  });

  const { error } = await askOnce(stage, agentAt(callee.url));

  expect(error).toMatchObject({ code: 'server_failed', failure: 'misconfigured' });
  expect(elsewhere.received).toEqual([]);
});

test('the card of another agent is not asked for', async () => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent();

  await askOnce(stage, agentAt(callee.url));

  expect(callee.received.map(({ method, path }) => `${method} ${path}`)).toEqual(['POST /agent']);
});

test('an agent that is down is told as what may pass', async () => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent();
  await callee.close();

  expect((await askOnce(stage, agentAt(callee.url))).error).toMatchObject({
    ...{ code: 'server_unreachable', failure: 'unavailable', retryable: true },
    message: expect.stringContaining('ECONNREFUSED'),
  });
});

test.each<[string, FakeAnswer, object]>([
  ['an error status', answerStatus(500), { code: 'server_failed', failure: 'unavailable' }],
  ['an error', rpcError(-32603, 'broken'), { code: 'server_failed', failure: 'unavailable' }],
  ['neither message nor task', () => ({ kind: 'task', id: 7 }), { code: 'server_failed' }],
  [
    'no JSON',
    () => (response) => void response.writeHead(200).end('<html>'),
    { code: 'server_failed', message: 'callee answered with what is no message and no task of A2A' },
  ],
  [
    'more than 4 MiB',
    () => said('x'.repeat(5 * 2 ** 20)),
    { code: 'server_failed', message: expect.stringContaining('more than 4194304 bytes') },
  ],
  [
    'half an answer',
    () => (response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{', () => response.destroy());
    },
    { code: 'server_failed', failure: 'unavailable' },
  ],
])('an agent that answers with %s is told, and the run goes on', async (_what, answer, error) => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent({ 'message/send': answer });

  expect((await askOnce(stage, agentAt(callee.url))).error).toMatchObject({ ...error, retryable: false });
});

test.each([
  ['failed', 'failed'],
  ['rejected', 'rejected'],
  ['canceled', 'canceled'],
])('a task that is %s is told with its state, and what was said without tokens', async (state) => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent({
    'message/send': (_request, { headers: { authorization } }) =>
      task(state, `No: ${authorization} ${'long '.repeat(100)}`),
  });

  const answer = await askOnce(stage, agentAt(callee.url));

  expect(answer).toEqual({ state, text: expect.stringMatching(/^No: .*\[redacted\]/) });
  expect(answer.text.length).toBeLessThan(300);
});

test.each<[string, (token: string) => FakeAnswer]>([
  ['an answer', (token) => () => said(`You sent ${token}.`)],
  ['a question', (token) => () => task('input-required', `Is it ${token}?`)],
  ['an error', (token) => rpcError(-32602, `not ${token}`)],
])('a token that %s repeats is not seen by the model', async (_what, answer) => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent({
    'message/send': (request, seen) => answer(`${seen.headers.authorization}`)(request, seen),
  });

  expect(JSON.stringify(await askOnce(stage, agentAt(callee.url)))).toContain('[redacted]');
});

test('after an error the next message begins another conversation', async () => {
  const stage = await setRemoteStage();
  const answers: FakeAnswer[] = [
    () => said('One.'),
    rpcError(-32602, 'too long'),
    () => said('Three.', { contextId: 'd' }),
  ];
  const callee = await startFakeAgent({
    'message/send': (request, seen) => (answers.shift() as FakeAnswer)(request, seen),
  });
  const calls: Calls = [[['callee', 'a']], [['callee', 'b']], [['callee', 'c']]];

  await startCaller(remoteConfig(stage, [agentAt(callee.url)]), calls).ask(await stage.token('alice'));

  const contexts = callee.of('message/send').map(({ params }) => params.message.contextId);
  expect(contexts).toEqual([undefined, 'c', undefined]);
});

test('a look at a task that fails for a moment is made again', async () => {
  const stage = await setRemoteStage();
  const looks: FakeAnswer[] = [answerStatus(503), answerStatus(503), () => task('completed', 'Done.')];
  const callee = await startFakeAgent({
    'message/send': () => task('working'),
    'tasks/get': (request, seen) => (looks.shift() as FakeAnswer)(request, seen),
  });

  expect(await askOnce(stage, agentAt(callee.url))).toEqual({ state: 'completed', text: 'Done.' });
});

test('a task that cannot be looked at any more is given up', async () => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent({
    'message/send': () => task('working'),
    'tasks/get': answerStatus(503),
  });

  expect((await askOnce(stage, agentAt(callee.url))).error.code).toBe('server_failed');
  expect(callee.of('tasks/get').length).toBe(4);
});

test('a task that is not done in time is cancelled, and that is told', async () => {
  const stage = await setRemoteStage();
  const cancelled = withResolvers();
  const callee = await startFakeAgent({
    'message/send': () => task('working'),
    'tasks/get': () => task('working'),
    'tasks/cancel': () => {
      cancelled.resolve();
      return task('canceled');
    },
  });

  const { error } = await askOnce(stage, agentAt(callee.url, { timeout: 0.3 }));

  expect(error).toMatchObject({ code: 'deadline_exceeded', failure: 'unavailable', retryable: false });
  await cancelled.promise;
  expect(callee.of('tasks/cancel').map(({ params }) => params.id)).toEqual(['t']);
});

test('an agent that never answers is given up in time', async () => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent({ 'message/send': () => () => {} });

  const { error } = await askOnce(stage, agentAt(callee.url, { timeout: 0.3 }));

  expect(error.code).toBe('deadline_exceeded');
  await callee.cutOff(1);
});

test('a run that is aborted cancels the task under the token of its user, and its tokens go', async () => {
  const stage = await setRemoteStage();
  const [looked, cancelled] = [withResolvers(), withResolvers()];
  const callee = await startFakeAgent({
    'message/send': () => task('working'),
    'tasks/get': () => {
      looked.resolve();
      return task('working');
    },
    'tasks/cancel': () => {
      cancelled.resolve();
      return task('canceled');
    },
  });
  const caller = startCaller(remoteConfig(stage, [agentAt(callee.url)]));
  const abort = new AbortController();
  const asked = caller.ask(await stage.token('alice'), { signal: abort.signal }).catch(() => []);
  await looked.promise;

  abort.abort();
  await asked;
  await cancelled.promise;

  expect(tokensAt(callee, 'tasks/cancel')).toEqual([tokensAt(callee, 'message/send')[0]]);
  expect(stage.sts.exchanges.length).toBe(1);
  expect(caller.services[0]?.broker.stats()).toMatchObject({ delegations: 0, entries: 0 });
});

test('a server that is closed breaks off what is under way', async () => {
  const stage = await setRemoteStage();
  const looked = withResolvers();
  const callee = await startFakeAgent({
    'message/send': () => task('working'),
    'tasks/get': () => {
      looked.resolve();
      return task('working');
    },
    'tasks/cancel': () => task('canceled'),
  });
  const caller = startCaller(remoteConfig(stage, [agentAt(callee.url)]));
  const asked = caller.ask(await stage.token('alice'));
  await looked.promise;

  await caller.remotes.close();

  expect(callee.of('tasks/cancel').length).toBe(1);
  expect(JSON.stringify(await asked)).toContain('is being stopped');
});

/** Calls the tool as part of a run, without ADK. */
function callIn(caller: CallingAgent, run: AgentRun | undefined): Promise<unknown> {
  const invocationContext = { appName: 'a', userId: 'u', session: { id: 's' } };
  const toolContext = { invocationContext, userId: 'u', sessionId: 's' } as never;
  const call = async (): Promise<unknown> =>
    caller.remotes.tools[0]?.runAsync({ args: { request: 'Go.' }, toolContext });
  return run ? asRun(run, call) : call();
}

test('what is left of a run that has ended gets no token', async () => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent();
  const caller = startCaller(remoteConfig(stage, [agentAt(callee.url)]));
  const run = { caller: callerOf(await stage.token('alice')), contexts: [] };

  expect(await callIn(caller, run)).toEqual({ state: 'completed', text: 'Done.' });
  caller.remotes.endRun(run);
  expect(await callIn(caller, run)).toMatchObject({ error: { code: 'delegation_ended' } });
  expect(await callIn(caller, undefined)).toMatchObject({ error: { code: 'delegation_missing' } });
  expect(callee.received.length).toBe(1);
});

test('a failure that only the user can do something about is noted for the run', async () => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent();
  const caller = startCaller(
    remoteConfig(stage, [
      { name: 'callee', url: callee.url, token_exchange: { audiences: ['callee'], scopes: ['read'] } },
    ]),
  );
  const expired = await stage.sts.mintSubjectToken({ sub: 'alice', audience: 'agent', expiresIn: -60 });
  const run = { caller: callerOf(expired), contexts: [] };

  expect(await callIn(caller, run)).toMatchObject({ error: { code: 'subject_expired' } });

  expect(needsOf(run, false)).toEqual([
    { server: 'callee', reason: 'reauthentication_required', scope: 'read' },
  ]);
  expect(callee.received).toEqual([]);
});

test('an agent that gets no token cannot say that the user is needed', async () => {
  const stage = await setRemoteStage();
  const challenge = 'Bearer error="insufficient_user_authentication"';
  const callee = await startFakeAgent({
    'message/send': answerStatus(401, { 'www-authenticate': challenge }),
  });
  const caller = startCaller(remoteConfig(stage, [agentAt(callee.url, { sts_audience: undefined })]));
  const run = { caller: callerOf(await stage.token('alice')), contexts: [] };

  expect(await callIn(caller, run)).toMatchObject({ error: { failure: 'reauthentication_required' } });

  expect(needsOf(run, true)).toEqual([]);
});

function withResolvers(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

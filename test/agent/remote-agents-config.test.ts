import fc from 'fast-check';
import { decodeJwt } from 'jose';
import { expect, test } from 'vitest';
import { createRemoteAgents } from '../../src/agent/remote-agents.ts';
import { createTokenServices } from '../../src/agent/token-services.ts';
import { agentToolName } from '../../src/kubernetes/compile/names.ts';
import { remoteConfig, setRemoteStage, startCaller, startFakeAgent } from './remote-agents-support.ts';
import type { Stage } from './support.ts';

/** The tools of a config with these agents; nothing is called. */
function made(stage: Pick<Stage, 'sts'>, agents: readonly object[], more: Record<string, unknown> = {}) {
  const config = remoteConfig(stage, agents, more);
  return createRemoteAgents(config, createTokenServices(config.token_exchange, {}), {});
}

const somewhere = { sts: { issuer: 'http://127.0.0.1:9' } } as Pick<Stage, 'sts'>;

test.each([
  ['team/mail-agent', 'team__mail_agent'],
  ['team__NS__mail', 'team__NS__mail'],
  ['1st agent', '_1st_agent'],
  [agentToolName('team', 'mail'), 'team__mail'],
  ['x'.repeat(100), 'x'.repeat(64)],
])('an agent with the name %s is a tool that every model can call', (name, expected) => {
  const { tools } = made(somewhere, [{ name, url: 'http://127.0.0.1:9/', description: 'Reads mail.' }]);

  const [declaration] = tools.map((tool) => tool._getDeclaration());

  expect(declaration).toMatchObject({ name: expected, description: 'Reads mail.' });
  expect(declaration?.parameters).toMatchObject({
    type: 'OBJECT',
    properties: { request: { type: 'STRING' } },
    required: ['request'],
  });
});

test.each(['a_b', 'toString'])('two agents that would be one tool are refused, by their path: %s', (name) => {
  const url = 'http://127.0.0.1:9/';

  expect(() =>
    made(somewhere, [
      { name: 'a/b', url },
      { name: 'a-b', url },
      { name, url },
    ]),
  ).toThrow(/^remote_agents\[2\]\.name: the name \w+ is taken/);
});

test('an agent that gets tokens is called by https, or on loopback, or where that is allowed', () => {
  const agent = { name: 'callee', url: 'http://callee.team.svc:8080', sts_audience: 'callee' };

  expect(() => made(somewhere, [agent])).toThrow(/^remote_agents\[0\]: "url" .* is plain http/);
  expect(made(somewhere, [{ ...agent, dangerously_allow_insecure_http: true }]).tools.length).toBe(1);
  expect(made(somewhere, [{ ...agent, url: 'https://callee.example.com' }]).tools.length).toBe(1);
  // It gets no token of anybody.
  expect(made(somewhere, [{ ...agent, sts_audience: undefined }]).tools.length).toBe(1);
});

test('where callers are anonymous, an agent that needs a user is left out, with a warning', () => {
  const url = 'http://127.0.0.1:9/';
  const agents = [
    { name: 'callee', url, sts_audience: 'callee' },
    { name: 'open', url },
  ];

  const { tools, warnings } = made(somewhere, agents, { authentication: { mode: 'anonymous' } });

  expect(tools.map(({ name }) => name)).toEqual(['open']);
  expect(warnings).toEqual([
    'remote_agents[0]: left out, because its calls need a user and callers are anonymous',
  ]);
});

test('a request that is no text is told to the model, and nothing is sent', async () => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent();
  const config = remoteConfig(stage, [{ name: 'callee', url: callee.url, sts_audience: 'callee' }]);

  const answers = await startCaller(config, [[['callee', 7]], [['callee', 'Go.']]]).ask(
    await stage.token('alice'),
  );

  expect(answers).toEqual([
    { error: expect.stringContaining('request') },
    { state: 'completed', text: 'Done.' },
  ]);
  expect([callee.received.length, stage.sts.exchanges.length]).toEqual([1, 1]);
});

test('whatever the static header fields are, the token goes alone as Authorization, and only where there is a target', async () => {
  const stage = await setRemoteStage();
  const callee = await startFakeAgent();
  const alice = await stage.token('alice');
  const cased = (name: string): fc.Arbitrary<string> =>
    fc
      .array(fc.boolean(), { minLength: name.length, maxLength: name.length })
      .map((upper) => [...name].map((one, at) => (upper[at] ? one.toUpperCase() : one)).join(''));
  const name = fc.oneof(cased('authorization'), cased('x-key'), cased('content-type'), cased('accept'));
  const value = fc.constantFrom('static', 'Bearer static', 'Basic c3RhdGlj');

  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, value, { maxKeys: 5 }), fc.boolean(), async (headers, hasTarget) => {
      const agent = {
        name: 'callee',
        url: callee.url,
        headers,
        ...(hasTarget && { sts_audience: 'callee' }),
      };
      await startCaller(remoteConfig(stage, [agent])).ask(alice);

      const { headers: sent } = callee.received.at(-1) as (typeof callee.received)[number];
      const given = (field: string): string[] =>
        Object.entries(headers).flatMap(([key, text]) => (key.toLowerCase() === field ? [text] : []));
      if (hasTarget) {
        const [scheme, token = '', ...more] = `${sent.authorization}`.split(' ');
        expect([scheme, decodeJwt(token).aud, more]).toEqual(['Bearer', 'callee', []]);
      } else {
        expect(given('authorization')).toEqual(
          given('authorization').length === 0 ? [] : expect.arrayContaining([sent.authorization]),
        );
        if (given('authorization').length === 0) expect(sent.authorization).toBeUndefined();
      }
      expect(sent['content-type']).toBe('application/json');
      if (given('x-key').length > 0) expect(given('x-key')).toContain(sent['x-key']);
    }),
    { numRuns: 40 },
  );
});

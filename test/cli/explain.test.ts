import { expect, test } from 'vitest';
import { type Ended, ended } from './ended.ts';
import { DEMO, filesOf, KAGENT, WRONG } from './manifests.ts';

const explain = (argv: readonly string[], input?: string): Promise<Ended> =>
  ended(['explain', ...argv], input);

test('S8 S9 the table tells, for each tool, what its tokens are for and where that is said', async () => {
  const { code, out, err } = await explain(['-f', '-'], DEMO);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toBe(
    `AGENT           SERVER         TOOLS   AUDIENCE                  RESOURCE  SCOPE             TOKEN SERVICE
demo/assistant  demo/calendar  create  calendar (server)         none      none              demo/default (default)
                               list
                demo/mail      all     mail-of-assistant (tool)  none      mail:read (tool)  demo/default (default)
`,
  );
});

const LONG = DEMO.replace(
  '[mail-of-assistant]',
  '[https://mail.example.com/a/rather/long/path/of/an/audience, b]',
)
  .replace('"mail:read"', '"https://graph.example.com/Mail.Read", "https://graph.example.com/Mail.Send"')
  .replace('toolNames: [list, create]', 'toolNames: [list_all_the_events_of_a_calendar_in_a_range]');

test('the table fits 120 columns, and loses nothing', async () => {
  const { code, out } = await explain(['-f', '-'], LONG);
  expect(code).toBe(0);
  expect(Math.max(...out.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(120);
  for (const word of ['audience', 'b (tool)', 'Read (tool)', 'Send (tool)', 'range'])
    expect(out).toContain(word);
});

test('a tool without a target says none', async () => {
  const { out } = await explain(['-f', '-'], DEMO.replace('  stsAudience: calendar\n', ''));
  expect(out).toMatch(/demo\/calendar +create +none +none +none +none/);
});

test('the profile and the type of the token are told where they are said', async () => {
  const { out } = await explain(
    ['-f', '-'],
    DEMO.replace('  clientID: agents', '  clientID: agents\n  profile: id-jag'),
  );
  expect(out).toMatch(/profile id-jag\s+\(tokenService\)/);
});

test('an Agent that is wrong is in the table too, and what is wrong is told', async () => {
  const { code, out, err } = await explain(['-f', '-'], `${DEMO}---\n${WRONG}`);
  expect(code).toBe(1);
  expect(out).toContain('demo/assistant');
  expect(out).toMatch(/^demo\/wrong +not valid: 2 problems$/m);
  expect(err).toContain('Agent demo/wrong: spec.declarative.modelConfig: ');
});

test('a misspelt kind of ours is told, with those that there are', async () => {
  const { code, err } = await explain(
    ['-f', '-'],
    DEMO.replace('kind: RemoteMCPServer', 'kind: RemoteMcpServer'),
  );
  expect(code).toBe(1);
  expect(err).toMatch(
    /^standard input:\d+: onbehalf.dev has no kind "RemoteMcpServer": it has Agent, ModelConfig, RemoteMCPServer, TokenService$/m,
  );
});

test('--json is for programs', async () => {
  const { code, out } = await explain(['--json', '-f', '-'], `${DEMO}---\n${WRONG}`);
  expect(code).toBe(1);
  expect(JSON.parse(out)).toEqual([
    {
      agent: 'demo/assistant',
      tools: [
        {
          server: 'demo/calendar',
          tokenService: 'demo/default',
          audiences: ['calendar'],
          from: { tokenService: 'default', audiences: 'server' },
          tools: ['create', 'list'],
        },
        {
          server: 'demo/mail',
          tokenService: 'demo/default',
          audiences: ['mail-of-assistant'],
          scopes: ['mail:read'],
          from: { tokenService: 'default', audiences: 'tool', scopes: 'tool' },
        },
      ],
    },
    {
      agent: 'demo/wrong',
      problems: [
        expect.stringMatching(/^standard input:\d+: Agent demo\/wrong: spec/),
        expect.stringContaining('there is no ModelConfig demo/gone'),
      ],
    },
  ]);
});

test('an agent as a tool is told by the name that the model calls it by', async () => {
  const planner = `apiVersion: onbehalf.dev/v1alpha1
kind: Agent
metadata: { name: planner, namespace: demo }
spec:
  declarative:
    tools:
      - type: Agent
        agent: { name: assistant }
`;
  const { out } = await explain(['--agent', 'demo/planner', '-f', '-'], `${DEMO}---\n${planner}`);
  expect(out).toMatch(/^demo\/planner +demo\/assistant +demo__assistant +none/m);
});

test('an Agent without tools is told as such', async () => {
  const { out } = await explain(['-f', '-'], DEMO.replace(/ {4}tools:[\s\S]*$/, ''));
  expect(out).toMatch(/^demo\/assistant +no tools$/m);
});

test('manifests of kagent are explained', async () => {
  const { code, out } = await explain(['-f', '-'], `${DEMO}---\n${KAGENT}`);
  expect(code).toBe(0);
  expect(out).toMatch(/^demo\/clerk +demo\/files +read +files \(server\)/m);
});

test('no value of a Secret is printed', async () => {
  const directory = await filesOf({ 'demo.yaml': DEMO });
  const { out, err } = await explain(['-f', directory]);
  expect(out).toContain('demo/assistant');
  expect(out + err).not.toContain('planted-secret-value');
});

test('without files the code is 2, and --help helps', async () => {
  expect(await explain([])).toMatchObject({ code: 2, out: '' });
  const { code, out } = await explain(['--help']);
  expect(code).toBe(0);
  expect(out).toContain('Usage: onbehalf explain -f FILE...');
});

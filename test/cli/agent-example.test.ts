// The command that README and issue name, in this clone. That the example does its work, tools/installed-agent.mjs and
// test/docs-agent.test.ts show: its STS and its servers have fixed ports.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

test('npm run onbehalf -- agent --filepath examples/agent serves it as it is', {
  timeout: 120_000,
}, async () => {
  const options = ['--port', '0', '--json'];
  // In a group of its own, as a terminal has it: the signal must come to the agent behind npm and its shell.
  const child = spawn('npm', ['run', 'onbehalf', '--', 'agent', '--filepath', 'examples/agent', ...options], {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const signal = (name: NodeJS.Signals): boolean => process.kill(-(child.pid as number), name);
  const closed = once(child, 'close');
  onTestFinished(() => void (child.exitCode === null && child.signalCode === null && signal('SIGKILL')));
  let err = '';
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  const { url, card_url: cardUrl, name } = JSON.parse((await lines.next()).value ?? `{"name":"${err}"}`);
  expect(name).toBe('demo/assistant');
  expect(await (await fetch(cardUrl)).json()).toMatchObject({ name: 'assistant', skills: [{ id: 'day' }] });
  const refused = await fetch(url, { method: 'POST', body: '{}' });
  expect(refused.status).toBe(401);
  signal('SIGTERM');

  await closed;
  expect((await lines.next()).value).toBe('{"event":"stop"}');
  // Its STS is a command of its own, which is not started here: that it says, and nothing else.
  const warnings = err.split('\n').filter(Boolean);
  expect(
    warnings.filter((line) => !line.includes('the keys of the issuer http://127.0.0.1:9400 cannot be had')),
  ).toEqual([]);
});

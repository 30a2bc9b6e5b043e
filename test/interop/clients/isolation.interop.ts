import { describe, expect, inject, test } from 'vitest';
import { useWorkspace } from './use-workspace.ts';

const frameworks = inject('frameworks');
const CLIENTS = ['mcp-v2', 'mcp-v1', 'ai-sdk', 'langchain', 'openai-agents', 'openai-agents-run', 'mastra'];
const TIMEOUT_MS = 300_000;

describe.skipIf(frameworks === undefined)('the isolation suite, on each framework’s own tools', () => {
  const run = useWorkspace(frameworks);

  test.each(CLIENTS)(
    '%s',
    async (client) => {
      const program = ['test/interop/clients/isolation/main.ts', client];
      const env = Object.fromEntries(
        Object.entries(process.env).filter(([name]) => name.startsWith('ISOLATION_')),
      );
      const { code, stdout, stderr } = await run(program, {
        env: env as Record<string, string>,
        timeout: TIMEOUT_MS,
      });
      // The counts are of interest where all is well, too.
      console.log(stdout.trim());
      expect(stdout).not.toContain('PROBLEM');
      expect(code, stderr.slice(-2000)).toBe(0);
    },
    TIMEOUT_MS + 10_000,
  );
});

// A child process: the same agent by ADK's own `toA2a`, with stock toolsets and no exchange.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InMemorySessionService, LlmAgent, MCPToolset, Runner, setLogger } from '@google/adk';
import { toA2a } from '@google/adk/a2a';
import { answerParent } from '../child.ts';
import { ScriptedModel } from '../scripted-model.ts';
import { SERVERS, type StockQuestion, type StockUrls } from './facts.ts';

setLogger(null);

answerParent<StockQuestion>({
  async start({ servers, tokens }): Promise<StockUrls> {
    const model = new ScriptedModel(() => [
      ...SERVERS.map((name) => [{ name: `${name}_tool`, args: {} }]),
      'That is your day.',
    ]);
    const agent = (): LlmAgent => {
      const tools = servers.map(
        ({ url }, index) =>
          new MCPToolset({
            type: 'StreamableHTTPConnectionParams',
            url,
            header: { Authorization: `Bearer ${tokens[index]}` },
          }),
      );
      return new LlmAgent({ name: 'stock', description: 'Stock.', model, tools });
    };
    const sessionService = new InMemorySessionService();
    const runner = (): Runner => new Runner({ appName: 'stock', agent: agent(), sessionService });
    return { asDocumented: await serve(agent()), perRun: await serve(agent(), runner) };
  },
});

/** @param runner - makes the runner of each run */
async function serve(agent: LlmAgent, runner?: () => Runner): Promise<string> {
  const app = await toA2a(agent, {
    // It prints what it warns of; a child of the bench has nothing to say there.
    ...{ allowUnauthenticated: true, basePath: '' },
    // The executor that it is handed on to takes a function too; this option's type does not say so.
    ...(runner && { runner: runner as unknown as Runner }),
  });
  const server = createServer(app).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jsonrpc`;
}

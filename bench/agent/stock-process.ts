// A child process: the same agent by ADK's own `toA2a`, with stock toolsets and no exchange.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LlmAgent, MCPToolset, setLogger } from '@google/adk';
import { toA2a } from '@google/adk/a2a';
import { ScriptedModel } from '../../examples/demo/scripted-model.ts';
import { answerParent } from '../child.ts';
import { SERVERS, type StockQuestion } from './facts.ts';

setLogger(null);

answerParent<StockQuestion>({
  async start({ servers, tokens }) {
    const tools = servers.map(
      ({ url }, index) =>
        new MCPToolset({
          type: 'StreamableHTTPConnectionParams',
          url,
          header: { Authorization: `Bearer ${tokens[index]}` },
        }),
    );
    const model = new ScriptedModel(() => [
      ...SERVERS.map((name) => [{ name: `${name}_tool`, args: {} }]),
      'That is your day.',
    ]);
    const agent = new LlmAgent({ name: 'stock', description: 'Stock.', model, tools });
    // It prints what it warns of; a child of the bench has nothing to say there.
    const app = await toA2a(agent, { allowUnauthenticated: true, basePath: '' });
    const server = createServer(app).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/jsonrpc`;
  },
});

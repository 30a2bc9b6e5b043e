// What the client does in a scenario.
import type { Context } from './access.ts';
import type { Session } from './ways.ts';

type Play = (session: Session, context: Context) => Promise<void>;

/** Lists the tools and calls each, as most scenarios want it. */
const callEach: Play = async (session) => {
  for (const { name } of await session.list()) await session.call(name, {});
};

/** Only lists the tools: the server has none that could be called. */
const list: Play = async (session) => {
  await session.list();
};

const PLAYS: Readonly<Record<string, Play>> = {
  'json-schema-ref-no-deref': list,
  tools_call: async (session) => {
    await session.list();
    await session.call('add_numbers', { a: 5, b: 3 });
  },
  'json-schema-2020-12-preservation': async (session) => {
    const tools = await session.list();
    const schema = tools.find(({ name }) => name === 'json_schema_2020_12_tool')?.inputSchema;
    await session.call('json_schema_echo', { schema });
  },
  'http-standard-headers': async (session, context) => {
    await callEach(session, context);
    await session.use(async (client) => {
      const { resources } = await client.listResources();
      for (const { uri } of resources) await client.readResource({ uri });
      const { prompts } = await client.listPrompts();
      for (const { name } of prompts) await client.getPrompt({ name });
    });
  },
  'http-custom-headers': async (session, context) => {
    await session.list();
    const calls = context.toolCalls as unknown as readonly {
      name: string;
      arguments: Record<string, unknown>;
    }[];
    for (const call of calls) await session.call(call.name, call.arguments);
  },
};

/** What is done in a scenario. */
export const playOf = (scenario: string): Play => PLAYS[scenario] ?? callEach;

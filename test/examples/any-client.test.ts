import { expect, it } from 'vitest';
import { callAs, connect } from '../../examples/any-client/call-as.ts';
import { startMcpServer } from '../../examples/demo/mcp-server.ts';
import { createBroker, createTokenService } from '../../src/index.ts';
import { createDevelopmentSts } from '../../src/sts/index.ts';

it('calls a tool as the user with the example of the README for any client', async () => {
  const sts = await createDevelopmentSts({
    clients: [{ clientId: 'assistant', authentication: 'none', audiences: ['calendar'] }],
    users: [{ sub: 'alice' }, { sub: 'bob' }],
  });
  const tool = {
    name: 'who_am_i',
    description: '',
    inputSchema: { type: 'object' as const },
    run: (_: unknown, { sub }: { sub: string }) => sub,
  };
  const { issuer, jwksUri } = sts;
  const server = await startMcpServer({
    name: 'calendar',
    audience: 'calendar',
    issuer,
    jwksUri,
    tools: [tool],
  });
  const broker = createBroker({ tokenService: createTokenService({ issuer, clientId: 'assistant' }) });
  try {
    const { client, close } = await connect(broker, server.url);
    expect(sts.exchanges).toEqual([]);
    const ask = async (sub: string): Promise<unknown> => {
      const subjectToken = await sts.mintSubjectToken({ sub, audience: 'assistant' });
      const { content } = await callAs(broker, subjectToken, client, 'who_am_i');
      return content;
    };
    expect(await Promise.all(['alice', 'bob'].map(ask))).toEqual([
      [{ type: 'text', text: 'alice' }],
      [{ type: 'text', text: 'bob' }],
    ]);
    expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
    await close();
    expect(server.openSessions).toBe(0);
  } finally {
    broker.close();
    await Promise.all([server.close(), sts.close()]);
  }
});

import { expect, it } from 'vitest';
import { callAs } from '../../examples/any-client/call-as.ts';
import { startMcpServer } from '../../examples/demo/mcp-server.ts';
import { createBroker, createTokenService } from '../../src/index.ts';
import { createDevelopmentSts } from '../../src/sts/index.ts';

it('calls a tool as the user with the example of the README for any client', async () => {
  const sts = await createDevelopmentSts({
    clients: [{ clientId: 'assistant', authentication: 'none', audiences: ['calendar'] }],
    users: [{ sub: 'alice' }],
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
    const subjectToken = await sts.mintSubjectToken({ sub: 'alice', audience: 'assistant' });
    const result = await callAs(broker, subjectToken, server.url, 'who_am_i');
    expect(result.content).toEqual([{ type: 'text', text: 'alice' }]);
    expect(broker.stats()).toMatchObject({ entries: 0, delegations: 0 });
  } finally {
    broker.close();
    await Promise.all([server.close(), sts.close()]);
  }
});

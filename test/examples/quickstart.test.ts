import { expect, it } from 'vitest';
import { ScriptedModel } from '../../bench/scripted-model.ts';
import { startMcpServer } from '../../examples/demo/mcp-server.ts';
import { createAssistant } from '../../examples/quickstart/assistant.ts';
import { createDevelopmentSts } from '../../src/sts/index.ts';

it('lets the quick start of the README act for its user at two servers', async () => {
  const clientSecret = 'quickstart-development-secret';
  const sts = await createDevelopmentSts({
    clients: [
      {
        clientId: 'assistant',
        authentication: 'client_secret_basic',
        clientSecret,
        audiences: ['calendar', 'mail'],
      },
    ],
    users: [{ sub: 'alice' }],
  });
  const start = (name: string) => {
    const whoAmI = {
      name: `${name}_user`,
      description: '',
      inputSchema: { type: 'object' as const },
      run: (_: unknown, { sub }: { sub: string }) => sub,
    };
    return startMcpServer({
      name,
      audience: name,
      issuer: sts.issuer,
      jwksUri: sts.jwksUri,
      tools: [whoAmI],
    });
  };
  const [calendar, mail] = await Promise.all([start('calendar'), start('mail')]);
  const model = new ScriptedModel(() => [
    [
      { name: 'calendar_user', args: {} },
      { name: 'mail_user', args: {} },
    ],
    'done',
  ]);
  const assistant = createAssistant({
    issuer: sts.issuer,
    clientSecret,
    calendarUrl: calendar.url,
    mailUrl: mail.url,
    model,
  });
  try {
    const subjectToken = await sts.mintSubjectToken({ sub: 'alice', audience: 'assistant' });
    for await (const _ of assistant.ask({ subjectToken, userId: 'u', sessionId: 's', text: 'hello' }));
    for (const server of [calendar, mail]) {
      const calls = server.requests.filter(({ method }) => method === 'tools/call');
      expect(calls).toMatchObject([
        { status: 200, sub: 'alice', act: 'assistant', aud: [server.name], tool: `${server.name}_user` },
      ]);
    }
  } finally {
    await assistant.close();
    await Promise.all([calendar.close(), mail.close(), sts.close()]);
  }
});

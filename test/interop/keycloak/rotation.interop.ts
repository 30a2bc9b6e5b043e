import { decodeProtectedHeader } from 'jose';
import { expect, test } from 'vitest';
import { admin, describeKeycloak, refusal, signIn, startAgent, verified } from './support.ts';

interface Keys {
  readonly active: Readonly<Record<string, string>>;
  readonly keys: readonly { readonly kid: string; readonly providerId: string }[];
}

describeKeycloak('key rotation at Keycloak', () => {
  test('a new key is taken up at once, and a user whose token is of a deleted key must sign in again', async () => {
    const agent = startAgent();
    const subjectToken = await signIn('alice');
    const oldKey = await signingKey();
    const run = agent.broker.begin({ subjectToken });
    const before = await agent.broker.token(run, 'calendar');
    expect((await verified(before, 'calendar')).protectedHeader.kid).toBe(oldKey.kid);

    await addKey();
    const newKey = await signingKey();
    expect(newKey.kid).not.toBe(oldKey.kid);
    // The user's token is of the old key, which still counts.
    const after = await agent.broker.token(run, 'files');
    expect((await verified(after, 'files')).protectedHeader.kid).toBe(newKey.kid);
    await verified(before, 'calendar');

    await admin('DELETE', `/components/${oldKey.providerId}`);
    const orphan = agent.broker.begin({ subjectToken });
    const error = await refusal(agent, orphan, 'calendar');
    expect(error).toMatchObject({ code: 'sts_error', failure: 'reauthentication_required' });
    await expect(verified(before, 'calendar')).rejects.toThrow('no applicable key');

    const fresh = await signIn('alice');
    expect(decodeProtectedHeader(fresh).kid).toBe(newKey.kid);
    const again = agent.broker.begin({ subjectToken: fresh });
    await verified(await agent.broker.token(again, 'calendar'), 'calendar');
  });

  async function signingKey(): Promise<Keys['keys'][number]> {
    const { active, keys } = (await admin('GET', '/keys')) as Keys;
    const key = keys.find(({ kid }) => kid === active.RS256);
    if (key === undefined) throw new Error('the realm signs with no RS256 key');
    return key;
  }

  async function addKey(): Promise<void> {
    const { id: parentId } = (await admin('GET', '')) as { readonly id: string };
    await admin('POST', '/components', {
      name: 'next',
      providerId: 'rsa-generated',
      providerType: 'org.keycloak.keys.KeyProvider',
      parentId,
      config: { priority: ['1000'], algorithm: ['RS256'] },
    });
  }
});

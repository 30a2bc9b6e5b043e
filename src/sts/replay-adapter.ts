import type { Adapter, AdapterPayload } from 'oidc-provider';

const LIMIT = 10_000;

/**
 * Storage for the provider. The grants here issue self-contained tokens, so the one thing it stores is the
 * `jti` of client assertions, to refuse a second use (RFC 7523 section 3). Having an adapter also keeps the
 * provider from warning about its own in-memory one.
 */
export function createReplayAdapter(): (model: string) => Adapter {
  const entries = new Map<string, { readonly payload: AdapterPayload; readonly expiresAt: number }>();
  const nothing = async (): Promise<undefined> => undefined;

  return (model) => ({
    async upsert(id, payload, expiresIn = 0) {
      for (const [key, { expiresAt }] of entries) {
        if (expiresAt <= Date.now() || entries.size >= LIMIT) entries.delete(key);
      }
      entries.set(`${model}:${id}`, { payload, expiresAt: Date.now() + expiresIn * 1000 });
    },
    async find(id) {
      const entry = entries.get(`${model}:${id}`);
      return entry !== undefined && entry.expiresAt > Date.now() ? entry.payload : undefined;
    },
    findByUserCode: nothing,
    findByUid: nothing,
    consume: nothing,
    destroy: nothing,
    revokeByGrantId: nothing,
  });
}

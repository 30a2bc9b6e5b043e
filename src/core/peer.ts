import { OnbehalfError } from './errors.ts';

/**
 * Loads an optional peer dependency when it is first needed.
 *
 * @param load - the import, written out so that bundlers see it
 * @param name - which is named as missing where Node does not say it
 * @throws OnbehalfError `peer_missing` that says what to install
 */
export async function loadPeer<T>(name: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
    if (code !== 'ERR_MODULE_NOT_FOUND') throw error;
    // It may be there, and one that it needs, or that is loaded with it, not.
    const [, missing = name] = /^Cannot find package '((?:@[\w.-]+\/)?[\w.-]+)/.exec(String(message)) ?? [];
    throw new OnbehalfError(
      'peer_missing',
      `${purpose} needs the package ${missing}: npm install ${missing}`,
      {
        failure: 'misconfigured',
      },
    );
  }
}

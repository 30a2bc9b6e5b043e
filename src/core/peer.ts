import { OnbehalfError } from './errors.ts';

/**
 * Loads an optional peer dependency when it is first needed.
 *
 * @param load - the import, written out so that bundlers see it
 * @throws OnbehalfError `peer_missing` that says what to install
 */
export async function loadPeer<T>(name: string, purpose: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new OnbehalfError('peer_missing', `${purpose} needs the package ${name}: npm install ${name}`, {
      failure: 'misconfigured',
    });
  }
}

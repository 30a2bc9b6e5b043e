type ProviderModule = typeof import('oidc-provider');

let loading: Promise<ProviderModule> | undefined;

/**
 * Loads `oidc-provider`, an optional peer.
 *
 * @throws Error that names the package to install when it is missing
 */
export function loadProvider(): Promise<ProviderModule> {
  loading ??= importQuietly().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/**
 * On Node.js 20 the module warns on import that it wants Node.js 22; it works on 20 as used here (our tests
 * run on both), and the user can do nothing about it. Exactly that warning is dropped, and only while
 * the import is under way. Its other notices never come up: this server brings its own keys and adapter and
 * turns the development interactions off.
 */
async function importQuietly(): Promise<ProviderModule> {
  const { warn } = console;
  const quiet: typeof console.warn = (...args) => {
    if (!String(args[0]).includes('oidc-provider WARNING: Unsupported runtime.')) warn(...args);
  };
  console.warn = quiet;
  try {
    return await import('oidc-provider');
  } catch (error) {
    throw isMissing(error) ? missingError(error) : error;
  } finally {
    // Somebody else may have replaced it meanwhile; theirs stays.
    // biome-ignore lint/suspicious/noConsole: nothing is printed here, a filter is taken out
    if (console.warn === quiet) console.warn = warn;
  }
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    error.code === 'ERR_MODULE_NOT_FOUND' &&
    error.message.includes("'oidc-provider'")
  );
}

function missingError(cause: unknown): Error {
  return new Error('The development STS needs the package oidc-provider: npm install oidc-provider', {
    cause,
  });
}

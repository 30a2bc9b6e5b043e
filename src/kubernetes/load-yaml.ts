type YamlModule = typeof import('yaml');

/**
 * Loads `yaml`, an optional peer.
 *
 * @throws Error that names the package to install when it is missing
 */
export async function loadYaml(): Promise<YamlModule> {
  try {
    return await import('yaml');
  } catch (error) {
    throw isMissing(error) ? missingError(error) : error;
  }
}

function isMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    error.code === 'ERR_MODULE_NOT_FOUND' &&
    error.message.includes("'yaml'")
  );
}

function missingError(cause: unknown): Error {
  return new Error('Manifests are YAML, which needs the package yaml: npm install yaml', { cause });
}

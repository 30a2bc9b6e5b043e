/** Why a part of the config cannot be used, with the options of the library by the names that they have in the file. */
export function whyInConfig(error: unknown, otherwise: string): string {
  if (!(error instanceof Error)) return otherwise;
  return error.message
    .replace(' of an MCP server', '')
    .replace('dangerouslyAllowInsecureHttp', 'dangerously_allow_insecure_http')
    .replace(/"clientAuth\.(\w+)"/, (_, option: string) => `"client_authentication.${snake(option)}"`);
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

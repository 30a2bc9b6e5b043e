/** Name and version of the instrumentation scope. The version is that of package.json; a test holds them together. */
export const SCOPE = { name: 'onbehalf', version: '0.0.0' } as const;

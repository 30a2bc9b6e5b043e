import type { Kind } from '../../../src/kubernetes/api/kinds.ts';

const observed = {
  observedGeneration: 1,
  conditions: ['Accepted', 'ResolvedRefs', 'Ready'].map((type) => ({
    type,
    status: type === 'Ready' ? 'False' : 'True',
    observedGeneration: 1,
    lastTransitionTime: '2026-01-01T00:00:00Z',
    reason: 'AsItShould',
    message: 'All is well.',
  })),
};

/** By kind, a status with each field that its schema has. */
export const STATUSES: Readonly<Record<Kind, object>> = {
  Agent: {
    ...observed,
    targets: [
      {
        server: 'tools/calendar',
        tokenService: 'identity/keycloak',
        audiences: ['calendar'],
        resources: ['https://calendar.example.com/mcp'],
        scopes: ['read'],
        requestedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
        profile: 'rfc8693',
        from: { audiences: 'tool', scopes: 'server' },
      },
    ],
    configHash: 'sha256:0000',
  },
  ModelConfig: observed,
  RemoteMCPServer: { ...observed, discoveredTools: [{ name: 'list', description: 'Lists events.' }] },
  TokenService: { ...observed, tokenEndpoint: 'https://sts.example.com/token' },
};

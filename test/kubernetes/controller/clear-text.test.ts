import { expect, test } from 'vitest';
import type { RemoteMCPServer } from '../../../src/kubernetes/api/remote-mcp-server.ts';
import { clearTextProblems } from '../../../src/kubernetes/controller/server-readiness.ts';

const KEY = { kind: 'RemoteMCPServer', namespace: 'demo', name: 'mail' } as const;
const problemsOf = (spec: Partial<RemoteMCPServer['spec']>) =>
  clearTextProblems(KEY, {
    spec: { url: 'http://mail.demo.svc:8080/mcp', dangerouslyAllowInsecureHTTP: false, ...spec },
  } as RemoteMCPServer);

test('a server whose tokens would travel in clear text is not one that agents can use', () => {
  expect(problemsOf({ stsAudience: 'mail' })).toMatchObject([
    { object: KEY, field: 'spec.url', reason: 'Invalid', message: expect.stringContaining('plain http') },
  ]);
});

test.each([
  ['gets no token', {}],
  ['says that it may', { stsAudience: 'mail', dangerouslyAllowInsecureHTTP: true }],
  ['is on loopback', { stsAudience: 'mail', url: 'http://127.0.0.1:8080/mcp' }],
  ['has https', { stsAudience: 'mail', url: 'https://mail.example.com/mcp' }],
])('a server that %s is', (_, spec) => {
  expect(problemsOf(spec)).toEqual([]);
});

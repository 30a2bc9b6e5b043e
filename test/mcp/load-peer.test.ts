import { expect, test } from 'vitest';
import { loadPeer } from '../../src/core/peer.ts';
import { failure } from './support.ts';

const NAME = '@modelcontextprotocol/client';

test('a package that is not installed gives an error that says what to install, and for what', async () => {
  const missing = 'a-package-that-nobody-has-installed';
  const error = await failure(loadPeer(missing, 'onbehalf/mcp', () => import(missing)));
  expect(error).toMatchObject({ code: 'peer_missing', failure: 'misconfigured', retryable: false });
  expect(error.message).toBe(`onbehalf/mcp needs the package ${missing}: npm install ${missing}`);
});

test('a package that is installed is handed over as it is', async () => {
  expect(await loadPeer(NAME, 'onbehalf/mcp', () => import(NAME))).toBe(await import(NAME));
});

test('a package that fails in itself is not reported as missing', async () => {
  const broken = new Error('broken inside');
  await expect(loadPeer(NAME, 'onbehalf/mcp', () => Promise.reject(broken))).rejects.toBe(broken);
});

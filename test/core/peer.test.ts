import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { loadPeer } from '../../src/core/peer.ts';
import { failureOf } from '../support/failure.ts';

const NAME = '@modelcontextprotocol/client';
// Not written out where it is imported, so that no tool resolves it.
const MISSING = '@nobody/has-installed-this';

test('a package that is not installed gives an error that says what to install, and for what', async () => {
  const error = await failureOf(loadPeer(MISSING, 'onbehalf/mcp', () => import(MISSING)));
  expect(error).toMatchObject({ code: 'peer_missing', failure: 'misconfigured', retryable: false });
  expect(error.message).toBe(`onbehalf/mcp needs the package ${MISSING}: npm install ${MISSING}`);
});

test('where the package is there, and one that it needs is not, that one is named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'onbehalf-peer-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const peer = join(folder, 'peer.mjs');
  writeFileSync(peer, `import '${MISSING}/deep/in/it';`);

  const error = await failureOf(loadPeer('peer', 'the test', () => import(pathToFileURL(peer).href)));

  expect(error.message).toBe(`the test needs the package ${MISSING}: npm install ${MISSING}`);
});

test('a package that is installed is handed over as it is', async () => {
  expect(await loadPeer(NAME, 'onbehalf/mcp', () => import(NAME))).toBe(await import(NAME));
});

test('a package that fails in itself is not reported as missing', async () => {
  const broken = new SyntaxError('broken inside');
  await expect(loadPeer(NAME, 'onbehalf/mcp', () => Promise.reject(broken))).rejects.toBe(broken);
});

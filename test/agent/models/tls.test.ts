import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ModelSettings } from '../../../src/config/model.ts';
import { createAuthority, startTlsLoopback } from '../../support/certificates.ts';
import { folderOf } from '../support.ts';
import { ask, chunks, KEY, sse } from './wire.ts';

test('a server with a CA of its own is asked, streams, and is left when the run is stopped', async () => {
  const authority = await createAuthority();
  const file = join(folderOf({}), 'ca.pem');
  writeFileSync(file, authority.cert);
  const server = await startTlsLoopback(
    { ...(await authority.server()), requestCert: false },
    (_request, response) => sse(response, chunks('One two ', [], null), false),
  );
  const settings: ModelSettings = { type: 'openai', model: 'm', api_key: KEY, base_url: server.origin };
  const stop = new AbortController();
  const arrived = server.arrived();
  const closed = server.closed();

  const asked = ask({ ...settings, tls_ca_cert_path: file }, { stream: true, signal: stop.signal });
  await arrived;
  stop.abort();

  expect((await asked).filter(({ partial }) => partial !== true)).toEqual([]);
  await closed;
  expect(server.received[0]?.headers.authorization).toBe(`Bearer ${KEY}`);
  const distrusted = await ask(settings);
  expect(distrusted.map(({ errorCode }) => errorCode)).toEqual(['server_unreachable']);
  expect(server.received).toHaveLength(1);
}, 20_000);

import { expect, test } from 'vitest';
import { installPackage, runScript } from './package.ts';

const START = `
  import { createDevelopmentSts } from './dist/sts/index.js';
  const client = { clientId: 'agent', authentication: 'none', audiences: ['calendar'] };
  const starting = createDevelopmentSts({ clients: [client] });
`;

test('a first start prints nothing', async () => {
  const folder = installPackage(['jose', 'oidc-provider']);
  const result = await runScript(folder, `${START} await (await starting).close();`);
  expect(result).toEqual({ stdout: '', stderr: '', code: 0 });
});

test('what others warn of while oidc-provider loads comes through, and console.warn is as it was', async () => {
  const folder = installPackage(['jose', 'oidc-provider']);
  const { stdout, stderr, code } = await runScript(
    folder,
    `import { loadProvider } from './dist/sts/load-provider.js';
     const { warn } = console;
     const loading = loadProvider();
     console.warn('a warning of somebody else');
     await loading;
     if (console.warn !== warn) process.exit(3);`,
  );
  expect({ stdout, stderr, code }).toEqual({ stdout: '', stderr: 'a warning of somebody else\n', code: 0 });
});

test('a missing oidc-provider names the package to install, and nothing is left listening', async () => {
  const folder = installPackage(['jose']);
  const { stdout, code } = await runScript(
    folder,
    `${START} await starting.catch((error) => console.log(error.message));`,
  );
  expect(stdout).toContain('npm install oidc-provider');
  expect(code).toBe(0);
});

test('a process can end as soon as its server is closed, also with a latency fault under way', async () => {
  const folder = installPackage(['jose', 'oidc-provider']);
  const { stdout, code } = await runScript(
    folder,
    `${START}
     const sts = await starting;
     sts.inject({ kind: 'latency', ms: 3_600_000 });
     const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange' });
     const failed = fetch(sts.tokenEndpoint, { method: 'POST', body }).catch(() => console.log('cut off'));
     await fetch(sts.jwksUri);
     await sts.close();
     await failed;`,
  );
  expect({ stdout, code }).toEqual({ stdout: 'cut off\n', code: 0 });
});

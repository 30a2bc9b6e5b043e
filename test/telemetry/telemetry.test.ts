import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MeterProvider } from '@opentelemetry/api';
import ts from 'typescript';
import { expect, test } from 'vitest';
import { createTelemetry } from '../../src/telemetry/index.ts';
import { SCOPE } from '../../src/telemetry/scope.ts';
import { installPackage, runScript } from '../sts/package.ts';
import { thrownBy } from '../support/failure.ts';
import { FAILED, ISSUED, LOOK_UP, startSdk } from './support.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The package without `@opentelemetry/api` beside it, and with this part of it. */
function installWithoutPeer(): string {
  const folder = installPackage([]);
  mkdirSync(join(folder, 'dist/telemetry'));
  for (const name of readdirSync(join(ROOT, 'src/telemetry'))) {
    const source = readFileSync(join(ROOT, 'src/telemetry', name), 'utf8');
    const compilerOptions: ts.CompilerOptions = {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    };
    const { outputText } = ts.transpileModule(source, { compilerOptions });
    writeFileSync(join(folder, 'dist/telemetry', name.replace(/ts$/, 'js')), outputText);
  }
  return folder;
}

test('without @opentelemetry/api it can be imported, and says what to install when it is used', async () => {
  const { stdout, stderr, code } = await runScript(
    installWithoutPeer(),
    `import { createTelemetry } from './dist/telemetry/index.js';
     await createTelemetry().catch((error) => console.log(error.code, error.message));`,
  );
  const said =
    'peer_missing onbehalf/telemetry needs the package @opentelemetry/api: npm install @opentelemetry/api';
  expect({ stdout, stderr, code }).toEqual({ stdout: `${said}\n`, stderr: '', code: 0 });
});

test('no other part of the package imports anything of OpenTelemetry', () => {
  const importing = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => /['"]@opentelemetry\//.test(readFileSync(join(ROOT, 'src', name), 'utf8')));
  expect(importing).not.toEqual([]);
  expect(importing.filter((name) => !name.startsWith('telemetry'))).toEqual([]);
});

test('the instrumentation scope has the name and the version of the package', () => {
  const { name, version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(SCOPE).toEqual({ name, version });
});

test('without an SDK all of it does nothing', async () => {
  const { observer, observeSize } = await createTelemetry();
  observer.exchange?.(ISSUED);
  observer.lookUp?.(LOOK_UP);
  observer.breaker?.({ sts: 'https://sts.example.com', state: 'open' });
  observer.store?.({ state: 'down' });
  observeSize('sessions', () => 1)();
});

test('by default the global providers are used', async () => {
  const { tracerProvider, span } = startSdk();
  const { trace } = await import('@opentelemetry/api');
  trace.setGlobalTracerProvider(tracerProvider);
  const { observer } = await createTelemetry();
  await observer.trace?.('exchange', ISSUED, async () => {});
  expect(span('exchange token')).toBeDefined();
});

test('a meter that throws does not keep an exchange from its audit record', async () => {
  const broken = (): never => {
    throw new Error('a broken meter');
  };
  const { meterProvider } = startSdk();
  const meter = meterProvider.getMeter('test');
  const meterProviderOfBroken: MeterProvider = {
    getMeter: () =>
      Object.assign(Object.create(meter), {
        createHistogram: () => ({ record: broken }),
        createCounter: () => ({ add: broken }),
      }),
  };
  const outcomes: string[] = [];
  const audit = ({ outcome }: { readonly outcome: string }): void => {
    outcomes.push(outcome);
    throw new Error('a broken sink');
  };
  const telemetry = await createTelemetry({ meterProvider: meterProviderOfBroken, audit });
  const { observer } = telemetry;
  observer.exchange?.(ISSUED);
  observer.exchange?.(FAILED);
  observer.lookUp?.(LOOK_UP);
  expect(outcomes).toEqual(['issued', 'failed']);
  expect(telemetry.auditFailures).toBe(2);
});

test.each([
  [{ meterProvider: 'otlp' }, '"meterProvider" must be an object'],
  [{ audit: {} }, '"audit" must be a function'],
  [{ maxAudiences: 0 }, '"maxAudiences" must be a positive number'],
  [{ meter: {} }, '"meter" is no option of createTelemetry()'],
])('options %j are refused', async (options, message) => {
  const error = await thrownBy(createTelemetry(options as never));
  expect(error).toBeInstanceOf(TypeError);
  expect((error as TypeError).message).toContain(message);
});

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { auditRecord } from '../../src/telemetry/audit.ts';
import { startPlainSts, subjectJwt } from '../support/sts.ts';
import { startObserved } from './docs-example.ts';
import { exportEverything } from './everything.ts';
import { FAILED, ISSUED } from './support.ts';

const read = (path: string): Promise<string> => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');
const PAGE = await read('docs/telemetry.md');
const SPAN = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1 };

/** What is in backticks in a cell of the page's tables. */
const named = (cell: string | undefined): readonly string[] =>
  [...(cell ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
const rows = PAGE.split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()));

test('the page names every metric with every attribute it has, and no others', async () => {
  const { metrics } = await exportEverything();
  const documented = rows
    .filter(
      ([, name, kind]) => name?.startsWith('`onbehalf.') && /^(histogram|counter|up-down)/.test(kind ?? ''),
    )
    .map(([, name, , attributes]) => [...named(name), [...named(attributes)].sort()]);
  const exported = metrics.map(({ name, attributes }) => [name, [...attributes.keys()].sort()]);
  expect(new Map(documented as [string, string[]][])).toEqual(new Map(exported as [string, string[]][]));
});

test('the page explains every attribute of a metric', async () => {
  const { metrics } = await exportEverything();
  const explained = rows.filter((cells) => cells.length === 4).flatMap(([, names]) => named(names));
  const attributes = new Set(metrics.flatMap((metric) => [...metric.attributes.keys()]));
  expect([...new Set(explained)].sort()).toEqual([...attributes].sort());
});

test('the page names every span with every attribute it has', async () => {
  const { spans } = await exportEverything();
  const [exchange, join] = rows.filter(([, name]) => /^`[a-z ]+` \((client|internal)\)/.test(name ?? ''));
  expect(named(exchange?.[1])).toEqual(['exchange token']);
  expect(named(join?.[1])).toEqual(['await token exchange']);
  expect(new Set(spans.map(({ name }) => name))).toEqual(new Set(['exchange token', 'await token exchange']));
  for (const name of ['exchange token', 'await token exchange']) {
    const attributes = spans
      .filter((span) => span.name === name)
      .flatMap((span) => Object.keys(span.attributes));
    expect([...new Set(attributes)].sort()).toEqual([...named(exchange?.[3])].sort());
  }
});

test('the line of the audit log that the page shows is as it is written, and the fields of a failure are named', () => {
  const line = /```json\n(.*)\n```/.exec(PAGE)?.[1] ?? '';
  const digests = { subjectTokenDigest: 'eT5wP2fake', tokenDigest: 'Zb1kQ9fake' };
  expect(line).toBe(JSON.stringify(auditRecord({ ...ISSUED, ...digests }, SPAN)));
  const shown = Object.keys(JSON.parse(line));
  const more = Object.keys(auditRecord(FAILED, SPAN)).filter((field) => !shown.includes(field));
  expect(more.length).toBe(4);
  for (const field of more) expect(PAGE).toContain(`\`${field}\``);
});

test('the page shows the example as it is compiled and run', async () => {
  const source = await read('test/telemetry/docs-example.ts');
  const regions = [...source.matchAll(/\/\/ #region docs\n(.*?) *\/\/ #endregion/gs)];
  const example = regions.map(([, region = '']) => region.replaceAll(/^ {2}/gm, '').trim()).join('\n\n');
  expect(example).not.toBe('');
  expect(/-->\n```ts\n(.*?)\n```/s.exec(PAGE)?.[1]).toBe(example);
});

test('the example writes an audit line for an exchange', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'onbehalf-docs-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const { service } = await startPlainSts();
  const { broker, close } = await startObserved(service, join(folder, 'audit.ndjson'));
  await broker.token(broker.begin({ subjectToken: subjectJwt('alice') }), 'calendar');
  await close();
  const lines = (await readFile(join(folder, 'audit.ndjson'), 'utf8')).trimEnd().split('\n');
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { sub: 'alice', aud: ['calendar'], outcome: 'issued' },
  ]);
});

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tallyCheck, tallyDemo, tallyPlain, tallyVitest } from '../../tools/tally.mjs';

const vitestReport = (counts: {
  passed?: number;
  failed?: number;
  pending?: number;
  todo?: number;
  brokenFiles?: string[];
}): string =>
  JSON.stringify({
    numPassedTests: counts.passed ?? 0,
    numFailedTests: counts.failed ?? 0,
    numPendingTests: counts.pending ?? 0,
    numTodoTests: counts.todo ?? 0,
    testResults: (counts.brokenFiles ?? []).map((name) => ({ name, status: 'failed', assertionResults: [] })),
  });

describe('tests', () => {
  it('are counted as vitest counted them, todo among the skipped', () => {
    expect(tallyVitest(vitestReport({ passed: 5, failed: 2, pending: 3, todo: 4 }), 1)).toMatchObject({
      passed: 5,
      failed: 2,
      skipped: 7,
    });
  });

  it('fail when there are none', () => {
    expect(tallyVitest(vitestReport({}), 0)).toMatchObject({ passed: 0, failed: 1 });
  });

  it('fail when all of them are skipped', () => {
    expect(tallyVitest(vitestReport({ pending: 3 }), 0)).toMatchObject({ passed: 0, failed: 1, skipped: 3 });
  });

  it('fail when a file could not even be loaded', () => {
    expect(tallyVitest(vitestReport({ passed: 1, brokenFiles: ['a.test.ts'] }), 1)).toMatchObject({
      passed: 1,
      failed: 1,
      notes: ['a.test.ts could not be run'],
    });
  });

  it('fail when the runner does, though every test passed', () => {
    expect(tallyVitest(vitestReport({ passed: 3 }), 1)).toMatchObject({ passed: 3, failed: 1 });
  });

  it.each([undefined, '', '{"num', '{"testResults": []}'])('fail on the report %j', (report) => {
    expect(tallyVitest(report, 0)).toMatchObject({ passed: 0, failed: 1 });
  });
});

describe('the gates', () => {
  const gates = [
    { name: 'check:types', ok: true, failure: 'types' },
    { name: 'check:lint', ok: false, failure: 'lint' },
  ];

  it('count one each, beside the tests', () => {
    const report = JSON.stringify({ gates, tests: 0 });
    expect(tallyCheck(report, vitestReport({ passed: 3 }), 1)).toMatchObject({
      passed: 4,
      failed: 1,
      notes: ['check:lint: lint'],
    });
  });

  it('fail when the tests wrote no report', () => {
    expect(tallyCheck(JSON.stringify({ gates: [], tests: 0 }), undefined, 0).failed).toBeGreaterThan(0);
    expect(tallyCheck(JSON.stringify({ gates, tests: 0 }), undefined, 1)).toMatchObject({
      passed: 1,
      failed: 2,
    });
  });

  it('fail when the check broke off before its report', () => {
    expect(tallyCheck(undefined, vitestReport({ passed: 3 }), 0)).toMatchObject({ passed: 0, failed: 1 });
  });

  it('fail when there were none', () => {
    expect(tallyCheck(JSON.stringify({ gates: [], tests: 0 }), vitestReport({ passed: 1 }), 0)).toMatchObject(
      {
        failed: 1,
      },
    );
  });
});

describe('the demo', () => {
  it('counts its runs', () => {
    expect(tallyDemo('{"ok":true,"runs":[{},{},{}]}', 0)).toMatchObject({ passed: 3, failed: 0 });
  });

  it.each([
    ['says so', '{"ok":false,"runs":[{},{}]}', 0],
    ['does not say', '{"runs":[{},{}]}', 0],
    ['exits non-zero', '{"ok":true,"runs":[{},{}]}', 1],
  ])('passes no run when it %s', (_, output, exit) => {
    expect(tallyDemo(output, exit)).toMatchObject({ passed: 0, failed: 2 });
  });

  it.each([
    ['no runs', '{"ok":true,"runs":[]}'],
    ['no document', ''],
    ['two documents', '{"ok":true,"runs":[{}]}\n{}'],
    ['a banner before the document', '> onbehalf demo\n{"ok":true,"runs":[{}]}'],
  ])('fails on %s', (_, output) => {
    expect(tallyDemo(output, 0)).toMatchObject({ passed: 0, failed: 1 });
  });
});

describe('an interop suite', () => {
  it('is counted by its last line', () => {
    expect(
      tallyPlain('9 passed, 9 failed, 9 skipped\nbye\n4 passed, 0 failed, 1 skipped\n', 0),
    ).toMatchObject({
      passed: 4,
      failed: 0,
      skipped: 1,
    });
  });

  it.each([
    ['no last line of the kind', 'done\n', 0],
    ['nothing run', '0 passed, 0 failed, 2 skipped\n', 0],
    ['an exit code', '4 passed, 0 failed, 0 skipped\n', 2],
    ['no output', undefined, 0],
  ])('fails on %s', (_, output, exit) => {
    expect(tallyPlain(output, exit).failed).toBe(1);
  });
});

describe('the command', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'onbehalf-tally-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const file = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const plainLines = (output: string): string[] =>
    output.split('\n').filter((line) => /^(\w+: )?\d+ passed, \d+ failed/.test(line));

  it('ends with the one plain line, summed over every suite', () => {
    const tests = file('tests.json', vitestReport({ passed: 3, pending: 1 }));
    const demo = file('demo.json', '{"ok":true,"runs":[{}]}');
    const suites = file('suites', `vitest\ttests\t0\t${tests}\ndemo\tdemo\t0\t${demo}\n`);
    const output = execFileSync(process.execPath, ['tools/tally.mjs', suites], { encoding: 'utf8' });
    expect(plainLines(output)).toEqual(['4 passed, 0 failed, 1 skipped']);
    expect(output.trimEnd().split('\n').at(-1)).toBe('4 passed, 0 failed, 1 skipped');
  });

  it('exits non-zero when one suite failed, and still adds up the others', () => {
    const tests = file('tests.json', vitestReport({ passed: 3 }));
    const suites = file('suites', `vitest\tgone\t0\t${join(folder, 'gone')}\nvitest\ttests\t0\t${tests}\n`);
    const { status, stdout } = spawnSync(process.execPath, ['tools/tally.mjs', suites], { encoding: 'utf8' });
    expect(status).toBe(1);
    expect(plainLines(stdout)).toEqual(['3 passed, 1 failed, 0 skipped']);
  });

  it('exits non-zero when there was no suite at all', () => {
    const { status, stdout } = spawnSync(process.execPath, ['tools/tally.mjs', join(folder, 'none')], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(plainLines(stdout)).toEqual(['0 passed, 1 failed, 0 skipped']);
  });
});

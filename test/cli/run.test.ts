import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Ended, ended } from './ended.ts';

/** Runs a command that is interrupted at once. */
const interrupted = (...argv: readonly string[]): Promise<Ended> => ended(argv, '', Promise.resolve());

test.each(['--help', '-h', 'help'])('%s lists the commands and ends with 0', async (flag) => {
  const { code, out, err } = await interrupted(flag);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain('sts ');
  expect(out).toContain('onbehalf <command> --help');
});

test('help with a command is the help of that command', async () => {
  const { code, out, err } = await interrupted('help', 'sts');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain('Usage: onbehalf sts');
  expect(await interrupted('help', 'sts')).toEqual(await interrupted('sts', '--help'));
});

test('help with a command that is not there ends with 2 and names it', async () => {
  const { code, out, err } = await interrupted('help', 'stz');
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain('unknown command "stz"');
});

test('without arguments the help goes to standard error and the exit code is 2', async () => {
  const { code, out, err } = await interrupted();
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain('Usage: onbehalf');
});

test('--version is the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(await interrupted('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
});

test.each(['stz', '--what', 'constructor'])('the unknown %s ends with 2 and a hint', async (name) => {
  const { code, out, err } = await interrupted(name);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(`"${name}"`);
  expect(err).toMatch(/Commands: .*\bsts\b.*\. /);
  expect(err).toContain('onbehalf --help');
});

import { expect, test } from 'vitest';
import { configJsonSchema } from '../../src/config/json-schema.ts';
import { type Ended, ended, endedInstalled, INSTALLED_MS } from './ended.ts';

const schema = (...argv: readonly string[]): Promise<Ended> => ended(['schema', ...argv]);

/** The installed command, where only these packages are installed with it. */
const installed = (dependencies: readonly string[]): Promise<Ended> =>
  endedInstalled(dependencies, ['config', 'core', 'cli'], ['schema']);

test('prints the JSON Schema of config.json', async () => {
  const { code, out, err } = await schema();
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(JSON.parse(out)).toEqual(configJsonSchema());
});

test.each(['--help', '-h'])('%s tells how an editor finds it', async (flag) => {
  const { code, out, err } = await schema(flag);
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out).toContain('"$schema": "./node_modules/onbehalf/schema/config.schema.json"');
  expect(out).toContain('onbehalf schema > config.schema.json');
});

test.each([
  [['--yaml'], "Unknown option '--yaml'"],
  [['config.json'], "Unexpected argument 'config.json'"],
])('%j is a mistake that it explains', async (argv, message) => {
  const { code, out, err } = await schema(...argv);
  expect({ code, out }).toEqual({ code: 2, out: '' });
  expect(err).toContain(message);
  expect(err).toContain('Run "onbehalf schema --help" to see the options.\n');
});

test(
  'the installed command works with zod alone',
  async () => {
    const { code, out, err } = await installed(['zod']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toBe((await schema()).out);
  },
  INSTALLED_MS,
);

test(
  'without zod the installed command names it',
  async () => {
    const err = 'onbehalf schema: this command needs the package zod: npm install zod\n';
    expect(await installed([])).toEqual({ code: 1, out: '', err });
  },
  INSTALLED_MS,
);

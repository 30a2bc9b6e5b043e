import { expect, it } from 'vitest';
import { completeLock } from '../../tools/complete-lock.mjs';

it('adds the platform packages that are wanted but not locked', () => {
  const lock = {
    packages: {
      '': {},
      'node_modules/tool': {
        version: '1.2.3',
        dev: true,
        optionalDependencies: {
          '@tool/cli-darwin-arm64': '1.2.3',
          '@tool/cli-linux-x64': '1.2.3',
          '@tool/cli-linux-x64-musl': '1.2.3',
        },
      },
      'node_modules/@tool/cli-linux-x64': { version: '1.2.3', integrity: 'sha512-known' },
    },
  };
  expect(completeLock(lock)).toEqual(['@tool/cli-darwin-arm64@1.2.3', '@tool/cli-linux-x64-musl@1.2.3']);
  expect(lock.packages).toMatchObject({
    'node_modules/@tool/cli-darwin-arm64': {
      version: '1.2.3',
      os: ['darwin'],
      cpu: ['arm64'],
      dev: true,
      optional: true,
    },
    'node_modules/@tool/cli-linux-x64': { integrity: 'sha512-known' },
    'node_modules/@tool/cli-linux-x64-musl': { os: ['linux'], cpu: ['x64'], libc: ['musl'] },
  });
  expect(completeLock(lock)).toEqual([]);
});

it('leaves alone what names no platform, or no exact version', () => {
  const lock = {
    packages: {
      'node_modules/tool': { optionalDependencies: { colours: '1.0.0', 'tool-linux-x64': '^1.0.0' } },
    },
  };
  expect(completeLock(lock)).toEqual([]);
});

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Target } from '../../src/core/target.ts';
import { createTokenService, dialectOf } from '../../src/core/token-service.ts';
import type { TokenService } from '../../src/core/token-service-handle.ts';
import {
  auth0Custom,
  auth0OnBehalfOf,
  authentik,
  dex,
  entra,
  google,
  keycloak,
  okta,
  parametersOf,
  zitadel,
} from './presets.ts';

const folder = new URL('../../docs/identity-providers/', import.meta.url);
const page = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const pages = readdirSync(folder).filter((name) => name.endsWith('.md') && name !== 'README.md');

const presets = { auth0Custom, auth0OnBehalfOf, authentik, dex, entra, google, keycloak, okta, zitadel };

interface Example {
  readonly tokenService: TokenService;
  readonly target: Target;
  readonly subjectTokenType: string | undefined;
}

/** Runs the examples of a page, as JavaScript. */
function examplesOf(name: string): Example[] {
  const names = { createTokenService, ...presets };
  return [...page(name).matchAll(/```ts\n(.*?)```/gs)].map(([, code = '']) => {
    const imports = [...code.matchAll(/^import \{ (.*) \} from 'onbehalf(?:\/dialects)?';\n/gm)];
    const given = imports
      .flatMap(([, imported = '']) => imported.split(', '))
      .filter((name) => !name.startsWith('type ')) as (keyof typeof names)[];
    const body = code.replaceAll(/^import .*\n/gm, '').replace('const target: Target =', 'const target =');
    const result = `return { tokenService, target, subjectTokenType: typeof subjectTokenType === 'string' ? subjectTokenType : undefined };`;
    return new Function(...given, `'use strict';\n${body}\n${result}`)(...given.map((one) => names[one]));
  });
}

test.each(pages)('%s: its examples are of the form that is taken', (name) => {
  const examples = examplesOf(name);
  expect(examples.length).toBeGreaterThan(0);
  for (const { tokenService, target, subjectTokenType: subjectType } of examples) {
    const dialect = dialectOf(tokenService);
    expect(dialect?.refuse?.(parametersOf(target, { subjectType }))).toBeUndefined();
  }
});

test('every preset is shown on a page, by its name', () => {
  const shown = pages.flatMap(examplesOf).map(({ tokenService }) => tokenService.dialect);
  expect(
    shown
      .filter((name) => name !== undefined)
      .map((name) => name.replace(/\(.*/, ''))
      .sort(),
  ).toEqual([
    'auth0-custom',
    'auth0-on-behalf-of',
    'authentik',
    'dex',
    'entra',
    'google',
    'keycloak',
    'okta',
    'zitadel',
  ]);
});

test('the index names every page and every preset', () => {
  const index = page('README.md');
  for (const name of pages) expect(index).toContain(`](${name})`);
  for (const name of Object.keys(presets)) expect(index).toContain(`\`${name}(`);
});

test.each([...pages, 'README.md'])('%s links only to pages that are there', (name) => {
  for (const [, to = ''] of page(name).matchAll(/\]\((?!https:)([^)#]*)(?:#[^)]*)?\)/g)) {
    expect(readdirSync(folder)).toContain(to);
  }
});

test.each(pages)('%s is a page, and says where it has it from and whether it was tested', (name) => {
  const text = page(name);
  expect(text.split('\n').length).toBeLessThan(110);
  expect(text).toMatch(/\bnot\s+tested\b|\*\*Tested\*\*|\btests are made\b/);
  if (name !== 'generic.md') expect(text).toMatch(/^Sources:\s.*https:/ms);
});

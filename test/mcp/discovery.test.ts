import { expect, test } from 'vitest';
import { tryInTurn, type Who } from '../../src/mcp/discovery.ts';
import { failed } from './support.ts';

const refusal = (who: Who): Error => Object.assign(new Error(who), { status: 401 });
const ALL: readonly Who[] = ['anonymous', 'agent', 'delegated'];

test.each<[Who | undefined, readonly Who[]]>([
  [undefined, ['anonymous', 'agent', 'delegated']],
  ['agent', ['agent', 'anonymous', 'delegated']],
  ['delegated', ['delegated', 'anonymous', 'agent']],
])('each identity is tried once, and what worked (%s) first', async (known, order) => {
  const tried: Who[] = [];
  const attempt = (who: Who): Promise<never> => {
    tried.push(who);
    return Promise.reject(refusal(who));
  };
  expect(await failed(tryInTurn(ALL, known, attempt))).toEqual(refusal(order[2] as Who));
  expect(tried).toEqual(order);
});

test('what worked once and is not there now is not tried', async () => {
  const tried: Who[] = [];
  const attempt = (who: Who): Promise<Who> => {
    tried.push(who);
    return Promise.resolve(who);
  };
  expect(await tryInTurn(['anonymous'], 'delegated', attempt)).toBe('anonymous');
  expect(tried).toEqual(['anonymous']);
});

test('what is no refusal is told at once', async () => {
  const tried: Who[] = [];
  const broken = Object.assign(new Error('broken'), { status: 500 });
  const attempt = (who: Who): Promise<never> => {
    tried.push(who);
    return Promise.reject(broken);
  };
  expect(await failed(tryInTurn(ALL, undefined, attempt))).toBe(broken);
  expect(tried).toEqual(['anonymous']);
});

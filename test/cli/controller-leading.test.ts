import { expect, test } from 'vitest';
import { tellingOf } from '../../src/cli/controller-leading.ts';

const untilAborted = (until: AbortSignal): Promise<void> =>
  new Promise((resolve) => until.addEventListener('abort', () => resolve(), { once: true }));

test('leadership that is lost is told of at once, and begun again is told of again', async () => {
  const told: string[] = [];
  const ending = new AbortController();
  const lead = tellingOf(untilAborted, { log: (event) => void told.push(event), ending: ending.signal });
  const first = new AbortController();
  const leading = lead(first.signal);
  expect(told).toEqual(['leading']);
  first.abort();
  expect(told).toEqual(['leading', 'lost']);
  await leading;
  const second = new AbortController();
  const again = lead(second.signal);
  ending.abort();
  second.abort();
  await again;
  expect(told).toEqual(['leading', 'lost', 'leading']);
});

test('work that ends by itself is no loss', async () => {
  const told: string[] = [];
  const { signal } = new AbortController();
  const until = new AbortController();
  await tellingOf(async () => {}, { log: (event) => void told.push(event), ending: signal })(until.signal);
  until.abort();
  expect(told).toEqual(['leading']);
});

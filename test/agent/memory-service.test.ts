import * as fc from 'fast-check';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createAgentMemory, type MemoryService } from '../../src/agent/memory-service.ts';

const DAY = 86_400_000;

function stopClock(): void {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
}

async function found(memory: MemoryService, userId: string, query: string): Promise<readonly unknown[]> {
  const { memories } = await memory.searchMemory({ appName: 'agent', userId, query });
  return memories.map(({ content }) => content.parts?.[0]?.text);
}

test('memories are found by any of their words, in any language and case, the newest first', async () => {
  const memory = createAgentMemory().service(DAY);
  memory.save('alice', 'Drinks Tee, grün.');
  memory.save('alice', 'Drinks water.');
  memory.save('alice', 'お茶 2024');

  expect(await found(memory, 'alice', 'what she DRINKS?')).toEqual(['Drinks water.', 'Drinks Tee, grün.']);
  expect(await found(memory, 'alice', 'GRÜN')).toEqual(['Drinks Tee, grün.']);
  expect(await found(memory, 'alice', '2024')).toEqual(['お茶 2024']);
  expect(await found(memory, 'alice', 'drink')).toEqual([]);
  expect(await found(memory, 'alice', '?!')).toEqual([]);
});

test('what is kept twice is there once, as the newest', async () => {
  const agent = createAgentMemory();
  const memory = agent.service(DAY);
  for (const text of ['tea one', 'tea two', 'tea one']) memory.save('alice', text);

  expect(await found(memory, 'alice', 'tea')).toEqual(['tea one', 'tea two']);
  expect(agent.size).toBe(2);
});

test('a memory is gone after its time, also one that was looked at since, and a shorter time counts at once', async () => {
  stopClock();
  const agent = createAgentMemory();
  const memory = agent.service(2 * DAY);
  memory.save('alice', 'old tea');
  vi.advanceTimersByTime(DAY + 1);
  memory.save('alice', 'new tea');
  memory.save('bob', 'tea');

  expect(await found(memory, 'alice', 'tea')).toEqual(['new tea', 'old tea']);
  vi.advanceTimersByTime(DAY - 1);
  expect(await found(memory, 'alice', 'tea')).toEqual(['new tea']);
  expect(agent.size).toBe(2);
  expect(await found(agent.service(DAY / 2), 'alice', 'tea')).toEqual([]);
  // Nobody has to ask for them.
  expect(agent.size).toBe(0);
});

test('of one user the memory that was used longest ago goes, and of users whoever was', async () => {
  const agent = createAgentMemory({ maxPerUser: 2, maxUsers: 2 });
  const memory = agent.service(DAY);
  memory.save('alice', 'tea');
  memory.save('alice', 'water');
  await found(memory, 'alice', 'tea');
  memory.save('alice', 'milk');
  expect(await found(memory, 'alice', 'tea water milk')).toEqual(['milk', 'tea']);

  memory.save('bob', 'tea');
  await found(memory, 'alice', 'nothing');
  memory.save('carol', 'tea');
  expect(await found(memory, 'bob', 'tea')).toEqual([]);
  expect(await found(memory, 'alice', 'tea')).toEqual(['tea']);
  expect(await found(memory, 'carol', 'tea')).toEqual(['tea']);
});

test('bytes are bounded, of one memory and of all, and answers are too', async () => {
  const agent = createAgentMemory({ maxEntryBytes: 8, maxBytes: 600, maxAnswers: 2 });
  const memory = agent.service(DAY);
  expect(memory.save('alice', 'ééééé')).toBe('too_long');
  expect(memory.save('alice', 'éééé')).toBe('saved');
  for (let index = 0; index < 50; index++) memory.save(`user ${index}`, `tea ${index}`);

  expect(await found(memory, 'alice', 'éééé')).toEqual([]);
  expect(agent.size).toBe(4);
  expect(await found(memory, 'user 49', 'tea')).toEqual(['tea 49']);
  memory.save('user 49', 'tea a');
  memory.save('user 49', 'tea b');
  expect(await found(memory, 'user 49', 'tea')).toEqual(['tea b', 'tea a']);
  agent.clear();
  expect(agent.size).toBe(0);
});

test('conversations are not put into it as a whole', async () => {
  const memory = createAgentMemory().service(DAY);
  await expect(memory.addSessionToMemory({} as never)).rejects.toThrow('not kept as a whole');
});

const USERS = ['alice', 'bob', '__proto__', 'anonymous', 'constructor', ''];
const user = fc.constantFrom(...USERS);
const word = fc.constantFrom('tea', 'milk', 'water');
const days = fc.integer({ min: 1, max: 3 });
const step = fc.oneof(
  fc.record({ does: fc.constant('save' as const), user, word, days }),
  fc.record({ does: fc.constant('search' as const), user, word, days }),
  fc.record({ does: fc.constant('wait' as const), days }),
);

test('no user ever gets a memory of another or one that is too old, and no bound is passed, whatever is done', async () => {
  stopClock();
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
    const agent = createAgentMemory({ maxPerUser: 4, maxUsers: 4, maxBytes: 2_000, maxAnswers: 3 });
    for (const one of steps) {
      const ttlMs = one.days * DAY;
      if (one.does === 'wait') vi.advanceTimersByTime(ttlMs / 4);
      else if (one.does === 'save') {
        agent.service(ttlMs).save(one.user, JSON.stringify([one.word, one.user, Date.now()]));
      } else {
        const texts = await found(agent.service(ttlMs), one.user, one.word);
        expect(texts.length).toBeLessThanOrEqual(3);
        for (const text of texts) {
          const [said, owner, at] = JSON.parse(String(text));
          expect([said, owner]).toEqual([one.word, one.user]);
          expect(at).toBeGreaterThan(Date.now() - ttlMs);
        }
      }
      expect(agent.size).toBeLessThanOrEqual(12);
    }
  });
  await fc.assert(property, { numRuns: 300 });
});

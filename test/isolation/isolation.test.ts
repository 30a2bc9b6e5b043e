// The suite on every client that the root's own dependencies are enough for. A small run; the one of 100 users and 8,000
// calls for each client, and the frameworks, are npm run interop:clients. Or, from the environment:
//   ISOLATION_USERS=100 ISOLATION_CALLS=20 ISOLATION_SEED=7 npx vitest run test/isolation/isolation.test.ts
import { expect, test } from 'vitest';
import { delegatedToolset, stockToolset } from './adk-clients.ts';
import { pool, v1, v2 } from './clients.ts';
import { judge, lineOf } from './judge.ts';
import { runIsolation } from './run.ts';

const {
  ISOLATION_USERS: users = '12',
  ISOLATION_CALLS: calls = '4',
  ISOLATION_SEED: seed = '4',
} = process.env;
const SIZE = { users: Number(users), callsPerServer: Number(calls), seed: Number(seed) };
const TIMEOUT_MS = 60_000 + SIZE.users * SIZE.callsPerServer * 200;

const CLIENTS = [pool, v2, v1, delegatedToolset, stockToolset];

test.each(CLIENTS.map((client) => ({ name: client.name, client })))(
  'users never meet in $name',
  async ({ client }) => {
    const counts = await runIsolation(client, SIZE);
    console.log(lineOf(counts));
    expect(judge(counts)).toEqual([]);
  },
  TIMEOUT_MS,
);

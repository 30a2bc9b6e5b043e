import { describe, expect, inject, test } from 'vitest';
import { judge } from './judge.ts';
import { CLAIMS, type Claim, NOT_CLAIMED, type Way } from './manifest.ts';
import { clientScenarios, type Outcome, runScenario } from './runner.ts';

const REQUIRED = [
  ...['enterprise-managed-authorization', 'wif-jwt-bearer', 'client-credentials-jwt'].map(
    (name) => `auth/${name}`,
  ),
  ...['auth/client-credentials-basic', 'initialize', 'tools_call', 'sse-retry'],
];

const titleOf = ({ scenario, specVersion = '', env = {} }: Claim, way: Way): string =>
  [scenario, specVersion, ...Object.values(env), way].filter(Boolean).join(', ');

/** All that is wrong, so that one run tells it. */
function problemsOf(claim: Claim, { exitCode, checks, stdout, stderr }: Outcome): string[] {
  const { error, exchanges, fails } = claim;
  const ended = error === undefined ? exitCode === 0 : error.test(stderr);
  // The SDK says things on stdout, too; ours comes last.
  const said = stdout.trimEnd().split('\n').at(-1);
  const exchanged = exchanges === undefined || said === JSON.stringify({ exchanges });
  return [
    ...judge(claim, checks),
    ...(ended ? [] : [`the client ended otherwise, the runner with ${exitCode}:\n${stderr}`]),
    ...(fails !== undefined && exitCode === 0 ? ['the runner found no fault'] : []),
    ...(exchanged ? [] : [`the client should have said ${exchanges} exchanges, not ${said}`]),
  ];
}

describe.skipIf(inject('judges') === undefined)('the MCP conformance runner', () => {
  test.concurrent.each(
    CLAIMS.flatMap((claim) => claim.ways.map((way) => [titleOf(claim, way), claim, way] as const)),
  )('%s', async (_, claim, way) => {
    // An agent exchanges nothing, and says nothing.
    const expected = way === 'agent' ? { ...claim, exchanges: undefined } : claim;
    expect(problemsOf(expected, await runScenario(claim, way))).toEqual([]);
  });

  test('has no scenario for clients that is neither claimed nor said why not, and none is both', async () => {
    const claimed = new Set(CLAIMS.map(({ scenario }) => scenario));
    const decided = [...claimed, ...Object.keys(NOT_CLAIMED)];
    expect(decided.toSorted()).toEqual((await clientScenarios()).toSorted());
    expect(REQUIRED.filter((scenario) => !claimed.has(scenario))).toEqual([]);
  });
});

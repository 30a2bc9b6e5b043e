import type { Reporter, TestCase } from 'vitest/node';

/** Ends a run with a line for each property, and one that counts them. */
export const fuzzReporter: Reporter = {
  onTestRunEnd(modules) {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const broken = modules.filter(
      (module) => module.state() === 'failed' && module.errors().length > 0,
    ).length;
    const count = (state: string): number => tests.filter((each) => each.result().state === state).length;
    const ran = tests.filter((each) => each.meta().fuzz !== undefined);
    console.log('');
    for (const each of ran) console.log(line(each));
    const cases = ran.reduce((sum, each) => sum + (each.meta().fuzz?.cases ?? 0), 0);
    console.log(`${cases} cases`);
    console.log(`${count('passed')} passed, ${count('failed') + broken} failed, ${count('skipped')} skipped`);
  },
};

function line(test: TestCase): string {
  const { cases = 0, seconds = 0, seed, outcomes = [] } = test.meta().fuzz ?? {};
  const state = test.result().state === 'passed' ? 'ok    ' : 'FAILED';
  return `${state}  ${test.name}: ${cases} cases, ${seconds.toFixed(1)} s, seed ${seed} (${outcomes.join(', ')})`;
}

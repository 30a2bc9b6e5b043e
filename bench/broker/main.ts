// The broker bench: its scenarios one after another, and what the numbers say.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Finding, ms, times, us } from '../findings.ts';
import { benchCrowd, benchParallel, benchSteady } from './crowd.ts';
import { benchHotPath } from './hot-path.ts';
import { benchImport } from './import-time.ts';
import { benchReplicas } from './replicas.ts';

const run = promisify(execFile);

/** @param progress - told what is being measured */
export async function benchBroker(progress: (line: string) => void): Promise<Finding[]> {
  const findings: Finding[] = [];
  progress('hot path');
  findings.push(...(await hotPath()));
  progress('100,000 entries');
  findings.push(await memory());
  progress('1,000 delegations');
  const exchanges = await benchCrowd();
  findings.push({
    what: '1,000 delegations of 100 users, 4 targets, at once: exchanges',
    ...{ ours: `${exchanges}`, peer: '4000 without a cache', budget: '= 400', met: exchanges === 400 },
  });
  progress('8 targets in parallel');
  const { together, alone } = await benchParallel();
  findings.push({
    what: '8 targets first used at once, STS of 50 ms',
    ...{ ours: ms(together), peer: `${ms(alone)} for one (${times(together / alone)})`, budget: '<= 60 ms' },
    met: together <= 60,
  });
  progress('ten token lifetimes (10 s)');
  const { requests, waited, exchanges: made } = await benchSteady();
  findings.push({
    what: `steady use over 10 token lifetimes, ${requests} requests: had to wait`,
    ...{ ours: `${waited} (${made} exchanges)`, peer: '', budget: '= 0', met: waited === 0 },
  });
  progress('replicas');
  findings.push(await replicas());
  progress('import');
  const { ours, dependencies } = await benchImport();
  findings.push({
    what: 'import "onbehalf"',
    ...{ ours: ms(ours), peer: `${ms(dependencies)} oauth4webapi and jose alone`, budget: '<= 30 ms' },
    met: ours <= 30,
  });
  return findings;
}

async function hotPath(): Promise<Finding[]> {
  const hot = await benchHotPath();
  return [
    {
      what: 'header fields with a kept token',
      ours: us(hot.headerOurs),
      peer: `${us(hot.headerGoogle)} google-auth-library (${times(hot.headerGoogle / hot.headerOurs)})`,
      ...{ budget: '<= 1 us', met: hot.headerOurs <= 1 },
    },
    {
      what: 'token() with a kept token',
      ours: us(hot.tokenOurs),
      peer: `${us(hot.headerGoogle)} google-auth-library (${times(hot.headerGoogle / hot.tokenOurs)})`,
      ...{ budget: '<= 5 us', met: hot.tokenOurs <= 5 },
    },
    {
      what: 'an exchange over loopback, token checked',
      ours: ms(hot.exchangeOurs),
      peer: `${ms(hot.exchangeOauth4webapi)} oauth4webapi, unchecked (${times(hot.exchangeOurs / hot.exchangeOauth4webapi)}); ${ms(hot.exchangeGoogle)} google-auth-library (${times(hot.exchangeOurs / hot.exchangeGoogle)})`,
      ...{ budget: '', met: undefined },
    },
  ];
}

async function memory(): Promise<Finding> {
  const program = fileURLToPath(new URL('memory.js', import.meta.url));
  const { stdout } = await run(process.execPath, ['--expose-gc', program]);
  const { entries, bytes } = JSON.parse(stdout) as { entries: number; bytes: number };
  return {
    what: `${entries} kept tokens, each beyond the token itself`,
    ...{ ours: `${Math.round(bytes)} bytes`, peer: '', budget: '<= 1536 bytes', met: bytes <= 1536 },
  };
}

async function replicas(): Promise<Finding> {
  const what = '8 processes on one Redis, 20 users, 4 targets: exchanges';
  const found = await benchReplicas();
  if (!found) {
    const peer = 'no redis-server here; npm run interop:redis fetches one';
    return { what, ours: 'not measured', peer, budget: '= one process', met: undefined };
  }
  const { one, eight } = found;
  return {
    what,
    ours: `${eight}`,
    peer: `${one} by one process`,
    budget: '= one process',
    met: eight === one,
  };
}

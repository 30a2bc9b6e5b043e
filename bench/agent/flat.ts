// Whether the memory of our server stays what it is, run after run, each in a context of its own: the hard case, as none of them
// is ever gone on in.
import type { Finding } from '../findings.ts';
import { load } from './load.ts';
import type { Memory } from './memory-probe.ts';
import type { Ours } from './ours.ts';

/** After so many runs it is looked at. By the first, contexts have begun to be thrown out, and what is compiled is compiled. */
const MARKS = [2_000, 5_000, 10_000, 20_000] as const;
const USERS = 250;
/** More is taken for a leak: 1 KiB a run would be 18 MB, a quarter of the heap. */
const GROWTH = 0.1;

interface Mark {
  readonly runs: number;
  readonly failed: number;
  readonly memory: Memory;
}

/** @param server - fresh, and used by nobody else */
export async function benchFlat(
  { url, memory }: Ours,
  tokens: readonly string[],
  {
    progress,
    forget,
  }: { readonly progress: (line: string) => void; readonly forget: () => Promise<unknown> },
): Promise<Finding[]> {
  const users = tokens.slice(0, USERS);
  const marks: Mark[] = [];
  let [runs, failed] = [0, 0];
  for (const mark of MARKS) {
    progress(`agent: memory over ${MARKS.at(-1)} runs, to ${mark}`);
    const each = Math.ceil((mark - runs) / users.length);
    const done = await load({ url, tokens: users }, { runs: each });
    runs += each * users.length;
    failed += each * users.length - done.completed.length;
    // What the witnesses wrote down is theirs, and would fill their processes.
    await forget();
    marks.push({ runs, failed, memory: await memory() });
  }
  return [flatFinding(marks)];
}

function flatFinding(marks: readonly Mark[]): Finding {
  const [first, last] = [marks[0], marks.at(-1)] as [Mark, Mark];
  const growth = last.memory.heap / first.memory.heap - 1;
  const of = (bytes: (memory: Memory) => number): string =>
    marks.map(({ memory }) => mb(bytes(memory))).join(', ');
  const after = marks.map(({ runs }) => runs.toLocaleString('en')).join(' / ');
  return {
    what: `heap after ${after} runs, each in a context of its own`,
    ours:
      `${of(({ heap }) => heap)} MB: ${(growth * 100).toFixed(1)}% more; ${last.failed} failed; ` +
      `external ${of(({ external }) => external)} MB; resident ${of(({ resident }) => resident)} MB, ` +
      `once garbage is collected ${of(({ atRest }) => atRest)} MB`,
    peer: '',
    budget: `<= ${GROWTH * 100}% from ${first.runs.toLocaleString('en')} to ${last.runs.toLocaleString('en')}`,
    met: growth <= GROWTH && last.failed === 0,
  };
}

/** Without its unit. */
export const mb = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);

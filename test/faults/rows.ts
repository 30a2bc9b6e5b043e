import type { FaultRow } from './row.ts';
import { agentRows } from './rows/agent.ts';
import { answerRows } from './rows/answers.ts';
import { discoveryRows } from './rows/discovery.ts';
import { issuedRows } from './rows/issued.ts';
import { refusalRows } from './rows/refusals.ts';
import { serverRows } from './rows/server.ts';
import { storeRows } from './rows/store.ts';
import { subjectRows } from './rows/subject.ts';
import { timeRows } from './rows/time.ts';
import { transportRows } from './rows/transport.ts';
import { twoStepRows } from './rows/two-steps.ts';

/** The fault matrix, in the order in which it is printed. */
export const ROWS: readonly FaultRow[] = [
  { fault: 'nothing is wrong', outcome: 'ok', sts: 1, mcp: 1 },
  ...[...transportRows, ...answerRows, ...refusalRows, ...discoveryRows, ...issuedRows, ...twoStepRows],
  ...[...subjectRows, ...agentRows, ...serverRows, ...timeRows, ...storeRows],
];

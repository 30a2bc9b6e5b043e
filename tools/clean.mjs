// @ts-check
/** Removes all that a build leaves: `tsc -b` never removes the output of a source that is gone. */
import { rmSync } from 'node:fs';

for (const folder of ['dist', 'build']) rmSync(folder, { recursive: true, force: true });

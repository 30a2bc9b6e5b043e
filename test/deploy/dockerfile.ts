import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './manifests.ts';

/** One stage of the Dockerfile. */
export interface Stage {
  readonly name: string;
  /** Another stage, or an image of somewhere else. */
  readonly from: string;
  readonly steps: readonly { readonly word: string; readonly rest: string }[];
}

/** The stages of the Dockerfile: lines that end in a backslash go on, those that begin with # are for people. */
function stagesOf(text: string): readonly Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '');
  const stages: { name: string; from: string; steps: { word: string; rest: string }[] }[] = [];
  for (const line of lines) {
    const [, word = '', rest = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    if (word === '') throw new Error(`the Dockerfile has a line that is no instruction: ${line}`);
    const [, from = '', name = ''] = /^(\S+) AS (\S+)$/.exec(rest) ?? [];
    if (word === 'FROM') stages.push({ name, from, steps: [] });
    else stages.at(-1)?.steps.push({ word, rest });
  }
  return stages;
}

export const STAGES: readonly Stage[] = stagesOf(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));

export function stage(name: string): Stage {
  const found = STAGES.find((one) => one.name === name);
  if (found === undefined) throw new Error(`the Dockerfile has no stage ${name}`);
  return found;
}

/** A stage and those that it is made from, the first first. */
export function lineage(name: string): readonly Stage[] {
  const { from } = stage(name);
  return [...(STAGES.some((one) => one.name === from) ? lineage(from) : []), stage(name)];
}

/** What an instruction is given, in a stage and in those that it is made from. */
export function valuesOf(name: string, word: string): readonly string[] {
  return lineage(name).flatMap(({ steps }) =>
    steps.filter((step) => step.word === word).map(({ rest }) => rest),
  );
}

import type { ObjectKey } from '../compile/types.ts';

/** A key as text, to look things up by: names hold no slash. */
export function keyText({ kind, namespace, name }: ObjectKey): string {
  return `${kind}/${namespace}/${name}`;
}

/** The key that a text stands for. */
export function keyOfText(text: string): ObjectKey {
  const [kind, namespace, name] = text.split('/') as [ObjectKey['kind'], string, string];
  return { kind, namespace, name };
}

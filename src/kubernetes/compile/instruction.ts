import { literalUnlessFile } from '../../config/secret-text.ts';
import type { DeclarativeSpec } from '../api/agent.ts';
import { atAgent, type Context } from './context.ts';
import { keyReference } from './pod.ts';

/** The instruction of the model: text, that of a ConfigMap, or a file of the pod where it is in a Secret. */
export function compileInstruction(context: Context, spec: DeclarativeSpec): string {
  const { systemMessage = '', systemMessageFrom: from } = spec;
  if (from === undefined) return literalUnlessFile(systemMessage);
  const at = atAgent(context, 'spec.declarative.systemMessageFrom');
  const reference = keyReference(from.type, from, at);
  if (from.type === 'Secret') return `file:${context.pod.file(reference)}`;
  if (!context.pod.needs(reference)) return '';
  const text = context.lookUp.text(context.namespace, from.name, from.key);
  if (text === undefined) {
    const name = `${context.namespace}/${from.name}`;
    const message = `the text of ConfigMap ${name} is not known: add the manifest of that ConfigMap`;
    context.report(reference.nameAt, 'NotFound', message);
  }
  return literalUnlessFile(text ?? '');
}

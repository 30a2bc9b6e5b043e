import { BasePlugin, type LlmResponse } from '@google/adk';

/** What ADK calls its own questions by, e.g. for a credential; it takes any call of such a name for one of them. */
const PREFIX = 'adk_';

/** Whether no tool can have a name: ADK looks names up in a plain object too, where some are taken. */
export function isOfAdk(name: string): boolean {
  return name.startsWith(PREFIX) || name in {};
}

type Part = NonNullable<NonNullable<LlmResponse['content']>['parts']>[number];

/**
 * Makes text of calls that a model makes in the name of ADK, before ADK sees them: a user could answer them as if ADK had asked. What
 * ADK itself asks comes from no model, and is left alone. It has to be the first plugin: ADK takes the answer of the first that has one.
 */
export class AdkNames extends BasePlugin {
  constructor() {
    super('onbehalf:adk-names');
  }

  override async afterModelCallback({
    llmResponse,
  }: {
    llmResponse: LlmResponse;
  }): Promise<LlmResponse | undefined> {
    const { content } = llmResponse;
    if (!content?.parts?.some(asksAsAdk)) return undefined;
    return { ...llmResponse, content: { ...content, parts: content.parts.map(withoutCall) } };
  }
}

function asksAsAdk({ functionCall }: Part): boolean {
  return functionCall?.name?.startsWith(PREFIX) === true;
}

function withoutCall(part: Part): Part {
  const { functionCall } = part;
  if (!asksAsAdk(part)) return part;
  return { text: `[The call of ${functionCall?.name} was not made: there is no such tool.]` };
}

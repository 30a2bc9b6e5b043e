import { byoDeployment, declarativeDeployment } from './deployment-fields.ts';
import { type Fields, left, mapped, mappedUnlessEmpty, refused, warned, within } from './fields.ts';
import { isObject, type JsonObject } from './json.ts';
import { targetFields } from './shared-fields.ts';
import { inner, type Spot, warn } from './spot.ts';

/** Header fields that would hand on who the user is, as the user. */
const CREDENTIALS = new Set(['authorization', 'proxy-authorization', 'cookie']);

function headerNames(given: unknown, spot: Spot): unknown {
  if (!Array.isArray(given)) return given;
  return given.filter((name, index) => {
    const credential = typeof name === 'string' && CREDENTIALS.has(name.toLowerCase());
    if (credential) warn(inner(spot, [index]), NOT_HANDED_ON);
    return !credential;
  });
}

const NOT_HANDED_ON = 'is not handed on: the server gets a token of its own; say its audience';

const reference: Fields = {
  // Which kinds they may name, references.ts says.
  kind: left,
  apiGroup: left,
  name: mapped(),
  namespace: mappedUnlessEmpty(),
  ...targetFields,
};

const tool: Fields = {
  type: mapped(),
  mcpServer: within({
    ...reference,
    toolNames: mapped(),
    requireApproval: mapped(),
    allowedHeaders: mapped('allowedHeaders', headerNames),
  }),
  agent: within(reference),
  headersFrom: mapped(),
  isolateSessions: warned('has no effect'),
  timeout: warned('has no effect'),
};

const skill: Fields = {
  id: mapped(),
  name: mapped(),
  description: mapped(),
  tags: mapped(),
  examples: mapped(),
  inputModes: warned('does not get into the agent card: it is text'),
  outputModes: warned('does not get into the agent card: it is text'),
};

const declarative: Fields = {
  runtime: warned(
    'has no effect: the agent server of Onbehalf runs the agent',
    (value) => value === 'python',
  ),
  systemMessage: mappedUnlessEmpty(),
  systemMessageFrom: mapped(),
  promptTemplate: refused(
    'is not rendered here, so the model would get another instruction: put the rendered text into systemMessage',
  ),
  modelConfig: mappedUnlessEmpty(),
  stream: mapped(),
  tools: within(tool, 'list'),
  a2aConfig: within({ skills: within(skill, 'list') }),
  deployment: within(declarativeDeployment),
  executeCodeBlocks: warned('has no effect: no code is run'),
  memory: warned('has no effect: nothing is remembered between sessions'),
  context: warned('has no effect: sessions are not compacted'),
};

/** Fields of `spec` of an Agent. */
export const agentFields: Fields = {
  type: mapped(),
  description: mapped(),
  declarative: within(declarative),
  byo: within({ deployment: within(byoDeployment) }),
  skills: warned('has no effect: no skills are loaded'),
  sandbox: refused(
    'cannot be had here, and the agent would reach what it forbids: use a NetworkPolicy, and remove it',
  ),
  allowedNamespaces: mapped(),
  ...targetFields,
};

/** What the API server of this group wants and kagent's does not: a description of each skill. */
export function withDescriptions(spec: JsonObject): JsonObject {
  const { declarative: given } = spec;
  if (!isObject(given) || !isObject(given.a2aConfig) || !Array.isArray(given.a2aConfig.skills)) return spec;
  const skills = given.a2aConfig.skills.map((item: JsonObject) => ({ description: '', ...item }));
  return { ...spec, declarative: { ...given, a2aConfig: { ...given.a2aConfig, skills } } };
}

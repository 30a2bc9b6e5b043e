import type { Agent } from '../api/agent.ts';
import { agentUrl } from './names.ts';
import { keyOf } from './parse.ts';

/** Version of the A2A protocol that the agent server speaks. */
const PROTOCOL_VERSION = '0.3.0';

/** The A2A agent card of an agent. What it says of authentication is only that a bearer token is needed. */
export function compileCard(agent: Agent): Readonly<Record<string, unknown>> {
  const { description = '', declarative, authentication } = agent.spec;
  const { namespace, name } = keyOf('Agent', agent);
  const skills = declarative?.a2aConfig?.skills ?? [];
  const bearer = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' };
  return {
    protocolVersion: PROTOCOL_VERSION,
    name,
    description,
    url: agentUrl(namespace, name),
    preferredTransport: 'JSONRPC',
    version: '1.0.0',
    capabilities: { streaming: true, pushNotifications: false, stateTransitionHistory: false },
    defaultInputModes: ['text'],
    defaultOutputModes: ['text'],
    skills: skills.map(({ id, name: title, description: what, tags = [], examples }) => ({
      ...{ id, name: title, description: what, tags },
      ...(examples && { examples }),
    })),
    ...(authentication.mode === 'Anonymous'
      ? {}
      : { securitySchemes: { bearer }, security: [{ bearer: [] }] }),
  };
}

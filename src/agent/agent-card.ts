import type { AgentCard } from '@a2a-js/sdk';
import type { ConfigProblem } from '../config/read-config.ts';
import type { AuthenticationConfig } from '../config/runtime-config.ts';

/** `agent-card.json`: an A2A agent card, of which only the name is needed. */
export type AgentCardFile = Partial<AgentCard> & Pick<AgentCard, 'name'>;

/** What is wrong with a card, as `JSON.parse` gives it. Members that nobody here reads are the writer's business. */
export function cardProblems(card: unknown): readonly ConfigProblem[] {
  if (typeof card !== 'object' || card === null || Array.isArray(card)) {
    return [{ path: '', message: 'must be a JSON object like { "name": "...", "description": "..." }' }];
  }
  const { name, url, capabilities, skills } = card as Readonly<Record<string, unknown>>;
  const problem = (bad: boolean, path: string, message: string): readonly ConfigProblem[] =>
    bad ? [{ path, message }] : [];
  return [
    ...problem(typeof name !== 'string' || name === '', 'name', 'must be a text that is not empty'),
    ...problem(
      !isUrlOrNothing(url),
      'url',
      'must be an http(s) URL; leave it out for the address of the server',
    ),
    ...problem(
      capabilities !== undefined && (typeof capabilities !== 'object' || capabilities === null),
      'capabilities',
      'must be an object like { "streaming": true }',
    ),
    ...problem(skills !== undefined && !Array.isArray(skills), 'skills', 'must be a list'),
  ];
}

/**
 * The card that is served: what the file leaves out is filled in. Push notifications are never offered: they would have
 * this server send what users said to whatever address a caller names.
 *
 * @param url - where the server listens; for a card without one
 */
export function completeCard(
  file: AgentCardFile,
  url: string,
  mode: AuthenticationConfig['mode'],
): AgentCard {
  const bearer = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } as const;
  return {
    version: '1.0.0',
    description: file.name,
    protocolVersion: '0.3.0',
    preferredTransport: 'JSONRPC',
    defaultInputModes: ['text/plain'],
    defaultOutputModes: ['text/plain'],
    skills: [],
    ...(mode !== 'anonymous' && { securitySchemes: { bearer }, security: [{ bearer: [] }] }),
    ...file,
    url: file.url ? file.url : url,
    capabilities: { streaming: true, ...file.capabilities, pushNotifications: false },
  };
}

function isUrlOrNothing(url: unknown): boolean {
  return (
    url === undefined ||
    url === '' ||
    (typeof url === 'string' && /^https?:\/\/[^\s/?#]+/.test(url) && URL.canParse(url))
  );
}

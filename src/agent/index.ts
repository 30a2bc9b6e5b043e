export { startAgentServer } from './agent-server.ts';
export type { AgentServer, AgentServerOptions } from './types.ts';

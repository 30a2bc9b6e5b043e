/** Id of a JSON-RPC request. */
export type RpcId = string | number;

/** What of a JSON-RPC message matters for whose it is. */
export interface RpcMessage {
  /** `undefined` for an answer, a batch, and what is no JSON-RPC. */
  readonly method: string | undefined;
  /** `undefined` for a notification. */
  readonly id: RpcId | undefined;
  /** Whether it answers a request of the server. */
  readonly isAnswer: boolean;
  /** The request that it cancels. */
  readonly cancels: RpcId | undefined;
}

const NONE: RpcMessage = { method: undefined, id: undefined, isAnswer: false, cancels: undefined };

/** Reads the message that a POST carries. */
export function readMessage(body: unknown): RpcMessage {
  if (typeof body !== 'string') return NONE;
  let message: Record<string, unknown>;
  try {
    message = Object(JSON.parse(body));
  } catch {
    return NONE;
  }
  const { method, id, params } = message;
  if (typeof method !== 'string') return { ...NONE, isAnswer: 'result' in message || 'error' in message };
  const cancels = method === 'notifications/cancelled' ? Object(params).requestId : undefined;
  return { method, id: rpcId(id), isAnswer: false, cancels: rpcId(cancels) };
}

const rpcId = (id: unknown): RpcId | undefined =>
  typeof id === 'string' || typeof id === 'number' ? id : undefined;

/** Methods that come before any user is known, in every client: what is there to be called is no user's secret. */
const DISCOVERY: ReadonlySet<string> = new Set([
  'initialize',
  'notifications/initialized',
  'server/discover',
  'ping',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'logging/setLevel',
  'subscriptions/listen',
]);

/** Whether a method is one of finding out what a server has. */
export const isDiscovery = (method: string | undefined): boolean =>
  method !== undefined && DISCOVERY.has(method);

import type { OnbehalfError } from '../core/errors.ts';
import { describeFetchFailure } from './call-failure.ts';
import type { RpcMessage } from './rpc-message.ts';
import type { McpServer } from './server.ts';
import { toolError } from './tool-error.ts';

/**
 * The answer to a `tools/call` that could not be made, as if the tool had failed: so every client shows it to the model,
 * and none takes it for a reason to connect anew, to make the call once more or to stop the run.
 */
export function toolResult(server: McpServer, message: RpcMessage, error: OnbehalfError): Response {
  return new Response(resultText(server, message, error), {
    headers: { 'content-type': 'application/json' },
  });
}

function resultText(server: McpServer, { id }: RpcMessage, error: OnbehalfError): string {
  const text = JSON.stringify(toolError(server, error));
  const result = { isError: true, content: [{ type: 'text', text }] };
  return JSON.stringify({ jsonrpc: '2.0', id, result });
}

/**
 * The answer to a `tools/call`, which ends in a result also when it breaks off: the call may have been carried out, and
 * there are clients that make it once more.
 */
export function unbroken(
  response: Response,
  call: {
    readonly server: McpServer;
    readonly message: RpcMessage;
    readonly signal: AbortSignal | undefined;
    readonly onLost: (error: OnbehalfError) => void;
  },
): Response {
  const { server, message, signal, onLost } = call;
  const { status, headers, body } = response;
  const lost = (error: unknown): string => {
    const known = describeFetchFailure(server, error);
    onLost(known);
    return resultText(server, message, known);
  };
  if (body !== null && headers.get('content-type')?.startsWith('text/event-stream')) {
    return new Response(unbrokenEvents(body, lost, signal), { status, headers });
  }
  const read = response.text.bind(response);
  const text = async (): Promise<string> => {
    try {
      return await read();
    } catch (error) {
      if (signal?.aborted) throw error;
      return lost(error);
    }
  };
  // A new response would cost more than the rest of a request.
  return Object.defineProperties(response, {
    text: { value: text },
    json: { value: async () => JSON.parse(await text()) },
  });
}

function unbrokenEvents(
  body: ReadableStream<Uint8Array>,
  lost: (error: unknown) => string,
  signal: AbortSignal | undefined,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let end = '\n';
  let isResumable = false;
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) return controller.close();
        const text = end + Buffer.from(value).toString('latin1');
        // An event with an id can be asked for again, and then the client resumes by itself.
        isResumable ||= /\nid:/.test(text);
        end = text.slice(-3);
        controller.enqueue(value);
      } catch (error) {
        if (signal?.aborted || isResumable) return controller.error(error);
        // What was half said is ended first.
        controller.enqueue(Buffer.from(`\n\nevent: message\ndata: ${lost(error)}\n\n`));
        controller.close();
      }
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

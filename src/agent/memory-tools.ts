import {
  type BaseTool,
  BaseToolset,
  type Context,
  FunctionTool,
  LoadMemoryTool,
  type RunAsyncToolRequest,
} from '@google/adk';
import * as z from 'zod';
import { holdsSecret } from '../core/redact.ts';
import { currentRun } from './caller.ts';
import type { MemoryService } from './memory-service.ts';

/** What the model is told when nothing was kept or looked up. */
interface MemoryError {
  readonly error: { readonly message: string; readonly retryable: false };
}

/** A JWT, whoever's it is: no memory is worth one. */
const JWT_LIKE = /\beyJ[\w-]{6,}\.[\w-]{6,}/;

/** The tools by which the model keeps something for its user, and finds it again. They send nothing, so no token is asked for. */
export class MemoryToolset extends BaseToolset {
  readonly #tools: readonly BaseTool[];

  constructor(memory: MemoryService) {
    super([]);
    this.#tools = [new OwnMemoryTool(), saveMemoryTool(memory)];
  }

  override async getTools(): Promise<BaseTool[]> {
    return [...this.#tools];
  }

  /** ADK calls it at the end of every run. */
  override async close(): Promise<void> {}
}

/** ADK's `load_memory`, for a caller who is known. */
class OwnMemoryTool extends LoadMemoryTool {
  override async runAsync(request: RunAsyncToolRequest): Promise<unknown> {
    if (ownerOf(request.toolContext) === undefined) return failed(NOBODY);
    if (typeof request.args.query !== 'string') return failed('query: must be a text');
    return super.runAsync(request);
  }
}

function saveMemoryTool(memory: MemoryService): BaseTool {
  return new FunctionTool({
    name: 'save_memory',
    description:
      'Keeps something for the current user beyond this conversation, to be found by load_memory: a fact or a wish, in one or two sentences. No passwords and no tokens.',
    parameters: z.object({ content: z.string().describe('What to keep: a short text.') }),
    async execute({ content }, context) {
      const owner = ownerOf(context as Context);
      if (owner === undefined) return failed(NOBODY);
      if (content.trim() === '') return failed('content: there is nothing to keep');
      const { token } = currentRun()?.caller.token() ?? {};
      if (JWT_LIKE.test(content) || (token !== undefined && holdsSecret(content, [token]))) {
        return failed('content: it holds a token, and was not kept');
      }
      if (memory.save(owner, content) === 'too_long') return failed('content: it is too long: keep less');
      return { saved: true };
    },
  });
}

const NOBODY = 'there is no memory: it is not known who the user is';

/** Whose memory it is: the caller's, where that is who ADK takes for the user. */
function ownerOf(context: Context): string | undefined {
  const { caller } = currentRun() ?? {};
  const { userId } = context.invocationContext.session;
  return caller?.isAuthenticated && caller.userName === userId ? userId : undefined;
}

function failed(message: string): MemoryError {
  return { error: { message, retryable: false } };
}

import type { MastraModelConfig } from '@mastra/core/llm';
import { scriptedModel as model } from './ai-sdk.ts';

/** The model of the AI SDK, which Mastra takes: only its types are those of an earlier `@ai-sdk/provider`. */
export const scriptedModel = model as unknown as MastraModelConfig;

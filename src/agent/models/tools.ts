import type {
  LanguageModelV3CallOptions,
  LanguageModelV3FunctionTool,
  LanguageModelV3ToolChoice,
} from '@ai-sdk/provider';
import type { LlmRequest } from '@google/adk';
import { fromGoogleSchema, type JsonSchema } from './google-schema.ts';

type Config = NonNullable<LlmRequest['config']>;
type Tool = NonNullable<Config['tools']>[number];

/** What a tool without parameters takes; some providers refuse a schema that says less. */
const NOTHING: JsonSchema = { type: 'object', properties: {} };

/** The tools of a request, and which of them the model may or has to call. Tools that Google itself runs are left out. */
export function toTools(config: Config): Pick<LanguageModelV3CallOptions, 'tools' | 'toolChoice'> {
  const { mode, allowedFunctionNames: allowed } = config.toolConfig?.functionCallingConfig ?? {};
  const must = mode === 'ANY' && allowed !== undefined && allowed.length > 0;
  const tools = (config.tools ?? [])
    .flatMap(declarations)
    .filter(({ name }) => !must || allowed.includes(name));
  if (tools.length === 0) return {};
  const toolChoice = choice(mode, tools);
  return { tools, ...(toolChoice && { toolChoice }) };
}

function declarations(tool: Tool): readonly LanguageModelV3FunctionTool[] {
  if (!('functionDeclarations' in tool)) return [];
  return (tool.functionDeclarations ?? []).flatMap(
    ({ name, description, parameters, parametersJsonSchema }) => {
      if (name === undefined) return [];
      const given = parametersJsonSchema ?? (parameters && fromGoogleSchema(parameters));
      const inputSchema = (given as JsonSchema | undefined) ?? NOTHING;
      return [{ type: 'function' as const, name, ...(description && { description }), inputSchema }];
    },
  );
}

function choice(
  mode: string | undefined,
  tools: readonly LanguageModelV3FunctionTool[],
): LanguageModelV3ToolChoice | undefined {
  if (mode === 'NONE') return { type: 'none' };
  if (mode !== 'ANY') return undefined;
  const [only, ...others] = tools;
  return only && others.length === 0 ? { type: 'tool', toolName: only.name } : { type: 'required' };
}

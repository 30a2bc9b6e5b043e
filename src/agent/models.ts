import type { BaseLlm } from '@google/adk';
import type { ModelSettings } from '../config/model.ts';
import { createGemini } from './models/gemini.ts';
import { ProviderModel } from './models/provider-model.ts';
import { createProvider } from './models/providers.ts';
import { ScriptedModel } from './scripted-model.ts';
import type { Environment } from './token-services.ts';

/**
 * Makes the model of a config. A key from a file is read for each request.
 *
 * @throws TypeError that names the setting, when a variable is not set or a key is missing
 * @throws OnbehalfError `peer_missing`
 */
export async function createModel(settings: ModelSettings, environment: Environment): Promise<BaseLlm> {
  const { type, model, turns = [], scripts } = settings;
  if (type === 'scripted') return new ScriptedModel(model, turns, scripts);
  if (type === 'gemini' || type === 'gemini_vertex_ai') return createGemini(settings, environment);
  return new ProviderModel(await createProvider(type, settings, environment), settings);
}

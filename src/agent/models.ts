import { type BaseLlm, Gemini } from '@google/adk';
import type { ModelSettings } from '../config/model.ts';
import { secretSource } from '../config/secret-text.ts';
import { readSecret } from '../core/secret.ts';
import { ProviderModel } from './models/provider-model.ts';
import { createProvider } from './models/providers.ts';
import { ScriptedModel } from './scripted-model.ts';
import type { Environment } from './token-services.ts';

/**
 * Makes the model of a config. A key from a file is read for each request; for Gemini once, because ADK's takes a text.
 *
 * @throws TypeError that names the setting, when a variable is not set or a key is missing
 * @throws OnbehalfError `peer_missing`, or for Gemini `client_auth_unavailable` when a file cannot be read
 */
export async function createModel(settings: ModelSettings, environment: Environment): Promise<BaseLlm> {
  const { type, model, turns = [], project, location } = settings;
  if (type === 'scripted') return new ScriptedModel(model, turns);
  if (type !== 'gemini' && type !== 'gemini_vertex_ai') {
    return new ProviderModel(await createProvider(type, settings, environment), settings);
  }
  const read = (text: string, what: string): Promise<string> =>
    readSecret(secretSource(text, environment), what);
  const apiKey = settings.api_key === undefined ? undefined : await read(settings.api_key, 'model.api_key');
  const fields = Object.entries(settings.headers ?? {}).map(
    async ([name, text]) => [name, await read(text, `model.headers.${name}`)] as const,
  );
  return new Gemini({
    model,
    ...(apiKey !== undefined && { apiKey }),
    ...(fields.length > 0 && { headers: Object.fromEntries(await Promise.all(fields)) }),
    ...(type === 'gemini_vertex_ai' && { vertexai: true }),
    ...(project !== undefined && { project }),
    ...(location !== undefined && { location }),
  });
}

import type { ModelSettings } from '../../config/model.ts';
import { secretSource } from '../../config/secret-text.ts';
import { readSecret, type SecretSource } from '../../core/secret.ts';
import { fetchFor } from '../tls.ts';
import type { Environment } from '../token-services.ts';
import { baseUrlOf, type ProviderType } from './base-url.ts';
import { loadConnect, regionOf } from './connect.ts';
import { createModelFetch } from './model-fetch.ts';
import type { Provider } from './provider-model.ts';

/** Where a provider's own clients look for the key. */
const KEY_VARIABLES: Readonly<Record<ProviderType, string>> = {
  openai: 'OPENAI_API_KEY',
  azure_openai: 'AZURE_OPENAI_API_KEY',
  anthropic: 'ANTHROPIC_API_KEY',
  ollama: 'OLLAMA_API_KEY',
  bedrock: 'AWS_BEARER_TOKEN_BEDROCK',
};
/** Header fields that prove who is asking. */
const AUTHENTICATION = ['authorization', 'api-key', 'x-api-key'] as const;
/** The access key of AWS, which signs instead of an API key. */
const AWS_KEY = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;

/**
 * Makes a provider from the config. Nothing is sent, and no file is read, before a model is asked.
 *
 * @throws TypeError that names the setting
 * @throws OnbehalfError `peer_missing`
 */
export async function createProvider(
  type: ProviderType,
  settings: ModelSettings,
  environment: Environment,
): Promise<Provider> {
  const base = baseUrlOf(type, settings, environment);
  const headers = Object.entries(settings.headers ?? {}).map(
    ([name, text]) => [name, sourceOf(text, `model.headers.${name}`, environment)] as const,
  );
  const key = keyOf(type, settings, environment);
  const proven = headers.some(([name]) => isAuthentication(name));
  if (key === undefined && !proven) checkKey(type, base.given, environment);
  const connect = await loadConnect({ type, settings, environment, baseURL: base.url });
  const fetch = fetchFor(settings, 'model');
  const signing = [...AWS_KEY, 'AWS_SESSION_TOKEN'].flatMap((name) => environment[name] ?? []);
  const host =
    type === 'bedrock' ? `https://bedrock-runtime.${regionOf(settings, environment)}.amazonaws.com` : '';
  return {
    origin: new URL(base.url ?? host).origin,
    async open() {
      const apiKey = key === undefined ? undefined : await readSecret(key, 'model.api_key');
      const fields = await Promise.all(
        headers.map(
          async ([name, source]) => [name, await readSecret(source, `model.headers.${name}`)] as const,
        ),
      );
      const drop = apiKey === undefined && type !== 'bedrock' ? AUTHENTICATION : [];
      return {
        model: connect({ apiKey, fetch: createModelFetch({ fetch, drop, headers: fields }) }),
        secrets: [...(apiKey === undefined ? [] : [apiKey]), ...fields.map(([, value]) => value), ...signing],
      };
    },
  };
}

function keyOf(
  type: ProviderType,
  { api_key: own }: ModelSettings,
  environment: Environment,
): SecretSource | undefined {
  if (own !== undefined) return sourceOf(own, 'model.api_key', environment);
  return environment[KEY_VARIABLES[type]] || undefined;
}

/**
 * Where a secret of the model comes from.
 *
 * @throws TypeError that names the setting, when a variable is not set
 */
export function sourceOf(text: string, path: string, environment: Environment): SecretSource {
  try {
    return secretSource(text, environment);
  } catch (error) {
    throw new TypeError(`${path}: ${error instanceof Error ? error.message : 'cannot be read'}`);
  }
}

/** A server of one's own may well want no key; the providers do. */
function checkKey(type: ProviderType, ownServer: boolean, environment: Environment): void {
  if (type === 'ollama' || (ownServer && type === 'openai') || (ownServer && type === 'anthropic')) return;
  if (type === 'bedrock' && AWS_KEY.every((name) => environment[name])) return;
  const others = type === 'bedrock' ? `, or ${AWS_KEY.join(' and ')}` : '';
  throw new TypeError(
    `model.api_key: is missing: give it here, or in the variable ${KEY_VARIABLES[type]}${others}`,
  );
}

function isAuthentication(name: string): boolean {
  return AUTHENTICATION.some((one) => one === name.toLowerCase());
}

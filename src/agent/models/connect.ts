import type { LanguageModelV3 } from '@ai-sdk/provider';
import type { ModelSettings } from '../../config/model.ts';
import { loadPeer } from '../../core/peer.ts';
import type { Environment } from '../token-services.ts';
import { isDatedVersion, type ProviderType } from './base-url.ts';

/** What a model is asked with. */
export interface Connection {
  readonly apiKey: string | undefined;
  readonly fetch: typeof globalThis.fetch;
}

/** Makes the model of a provider for a connection. */
export type Connect = (connection: Connection) => LanguageModelV3;

/** What a provider's connection is made from. */
export interface ConnectOptions {
  readonly type: ProviderType;
  readonly settings: ModelSettings;
  readonly environment: Environment;
  readonly baseURL: string | undefined;
}

/** For the libraries, which want a key and look for one themselves where there is none; the header field is taken off. */
const NO_KEY = 'none';

/**
 * Loads the package of a provider.
 *
 * @throws OnbehalfError `peer_missing`
 */
export function loadConnect(options: ConnectOptions): Promise<Connect> {
  return LOADERS[options.type](options);
}

const LOADERS: Readonly<Record<ProviderType, (options: ConnectOptions) => Promise<Connect>>> = {
  openai: connectOpenAI,
  ollama: connectOpenAI,
  azure_openai: connectAzure,
  anthropic: connectAnthropic,
  bedrock: connectBedrock,
};

/** The chat completions API: the one that servers which are not OpenAI's speak too. */
async function connectOpenAI({ type, settings, baseURL }: ConnectOptions): Promise<Connect> {
  const { createOpenAI } = await loadPeer('@ai-sdk/openai', purpose(type), () => import('@ai-sdk/openai'));
  const { model, organization } = settings;
  const own = {
    ...(baseURL !== undefined && { baseURL }),
    ...(organization !== undefined && { organization }),
  };
  return ({ apiKey = NO_KEY, fetch }) => createOpenAI({ ...own, apiKey, fetch }).chat(model);
}

async function connectAzure({ type, settings, baseURL }: ConnectOptions): Promise<Connect> {
  const { createAzure } = await loadPeer('@ai-sdk/azure', purpose(type), () => import('@ai-sdk/azure'));
  const { model, api_version: apiVersion } = settings;
  const own = {
    useDeploymentBasedUrls: isDatedVersion(apiVersion),
    ...(baseURL !== undefined && { baseURL }),
    ...(apiVersion !== undefined && { apiVersion }),
  };
  return ({ apiKey = NO_KEY, fetch }) => createAzure({ ...own, apiKey, fetch }).chat(model);
}

async function connectAnthropic({ type, settings, baseURL }: ConnectOptions): Promise<Connect> {
  const { createAnthropic } = await loadPeer(
    '@ai-sdk/anthropic',
    purpose(type),
    () => import('@ai-sdk/anthropic'),
  );
  const own = baseURL === undefined ? {} : { baseURL };
  return ({ apiKey = NO_KEY, fetch }) => createAnthropic({ ...own, apiKey, fetch })(settings.model);
}

/** Proves itself by an API key of Bedrock, else by an access key, which signs each request. */
async function connectBedrock({ type, settings, environment, baseURL }: ConnectOptions): Promise<Connect> {
  const region = regionOf(settings, environment);
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = environment;
  const { createAmazonBedrock } = await loadPeer(
    '@ai-sdk/amazon-bedrock',
    purpose(type),
    () => import('@ai-sdk/amazon-bedrock'),
  );
  const own = {
    region,
    ...(baseURL !== undefined && { baseURL }),
    ...(accessKeyId !== undefined && { accessKeyId }),
    ...(secretAccessKey !== undefined && { secretAccessKey }),
    ...(sessionToken !== undefined && { sessionToken }),
  };
  return ({ apiKey, fetch }) =>
    createAmazonBedrock({ ...own, ...(apiKey !== undefined && { apiKey }), fetch })(settings.model);
}

/**
 * The region of Bedrock.
 *
 * @throws TypeError when none is given
 */
export function regionOf({ location, region }: ModelSettings, environment: Environment): string {
  const found = location ?? region ?? (environment.AWS_REGION || environment.AWS_DEFAULT_REGION);
  if (found) return found;
  throw new TypeError('model.location: is missing: give the region of Bedrock here, or in AWS_REGION');
}

const purpose = (type: ProviderType): string => `a model of the type ${type}`;

import type { ModelSettings } from '../../config/model.ts';
import { parseUrl } from '../../core/url.ts';
import type { Environment } from '../token-services.ts';

/** Providers that are asked through the AI SDK. */
export type ProviderType = Exclude<ModelSettings['type'], 'gemini' | 'gemini_vertex_ai' | 'scripted'>;

/** Where a provider's own clients look for its API. */
const VARIABLES: Readonly<Record<ProviderType, readonly string[]>> = {
  openai: ['OPENAI_BASE_URL'],
  azure_openai: ['AZURE_OPENAI_ENDPOINT'],
  anthropic: ['ANTHROPIC_BASE_URL'],
  ollama: ['OLLAMA_API_BASE', 'OLLAMA_HOST'],
  bedrock: [],
};

const DEFAULTS: Readonly<Partial<Record<ProviderType, string>>> = {
  openai: 'https://api.openai.com/v1',
  anthropic: 'https://api.anthropic.com',
  ollama: 'http://127.0.0.1:11434',
};

/** Where a provider is asked. */
export interface BaseUrl {
  /** Without a slash at its end; `undefined` for bedrock where none is given: the region says it. */
  readonly url: string | undefined;
  /** Whether it was given, and is not the provider's own. */
  readonly given: boolean;
}

/**
 * The URL of the provider's API, in the form that the AI SDK takes: from the config, else from the variable that the provider's own
 * clients read, else the provider's own.
 *
 * @throws TypeError that names the setting
 */
export function baseUrlOf(type: ProviderType, settings: ModelSettings, environment: Environment): BaseUrl {
  const { base_url: own, api_version: version } = settings;
  const variable = VARIABLES[type].find((name) => environment[name]);
  const given = own ?? (variable && environment[variable]);
  const text = given ?? DEFAULTS[type];
  if (text === undefined) {
    if (type !== 'azure_openai') return { url: undefined, given: false };
    throw new TypeError(
      'model.base_url: is missing: give the endpoint of the Azure resource here or in AZURE_OPENAI_ENDPOINT',
    );
  }
  const base = apiUrl(type === 'ollama' ? withScheme(text) : text, own ? 'model.base_url' : (variable ?? ''));
  return { url: FORMS[type](base, version), given: given !== undefined };
}

/** Whether Azure has the deployment in the path of its URLs: for every version but those of the API "v1". */
export function isDatedVersion(version: string | undefined): boolean {
  return version !== undefined && !/^(?:v1|preview|latest)$/.test(version);
}

const plain = (base: string): string => base;
const withV1 = (base: string): string => (/\/v\d+$/.test(base) ? base : `${base}/v1`);

const FORMS: Readonly<Record<ProviderType, (base: string, version: string | undefined) => string>> = {
  openai: plain,
  // The provider's own client is given the URL without the version.
  anthropic: withV1,
  ollama: withV1,
  bedrock: plain,
  azure_openai: (base, version) => {
    const resource = base.replace(/\/openai(?:\/v1)?$/, '');
    return isDatedVersion(version) ? `${resource}/openai` : `${resource}/openai/v1`;
  },
};

/**
 * A URL of an API as it was given, without a slash at its end.
 *
 * @throws TypeError that names the setting
 */
export function apiUrl(text: string, what: string): string {
  const url = parseUrl(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.username + url.password + url.search + url.hash !== '') {
    throw new TypeError(`${what}: must be an http or https URL, without user name, query and fragment`);
  }
  return url.href.replace(/\/+$/, '');
}

/** OLLAMA_HOST may be a host and port alone; 0.0.0.0 is what a server listens on, and nobody can be asked at. */
function withScheme(text: string): string {
  const url = /^https?:\/\//.test(text) ? text : `http://${/:\d+$/.test(text) ? text : `${text}:11434`}`;
  return url.replace('//0.0.0.0', '//127.0.0.1');
}

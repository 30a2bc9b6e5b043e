import type { ModelSettings } from '../../config/model.ts';
import type { ConfigProblem } from '../../config/read-config.ts';
import { isLoopback } from '../../core/secure-url.ts';
import { parseUrl } from '../../core/url.ts';
import { tlsWarning } from '../tls.ts';

type Type = ModelSettings['type'];

const TLS = ['tls_insecure_skip_verify', 'tls_ca_cert_path', 'tls_disable_system_cas'] as const;
const EVERY = ['type', 'model', 'headers', 'temperature', 'max_tokens', 'api_key_passthrough'];
const OVER_HTTP = [...TLS, 'base_url', 'timeout', 'top_p'];
const PENALTIES = ['frequency_penalty', 'presence_penalty', 'seed'];
const OPENAI = [...OVER_HTTP, ...PENALTIES, 'api_key', 'reasoning_effort'];
const GEMINI = [...OVER_HTTP, ...PENALTIES, 'top_k'];

/** Fields that a model of the type has, beside those of every type. */
const FIELDS: Readonly<Record<Type, readonly string[]>> = {
  openai: [...OPENAI, 'organization'],
  azure_openai: [...OPENAI, 'api_version'],
  anthropic: [...OVER_HTTP, 'api_key', 'top_k'],
  ollama: OPENAI,
  bedrock: [...OVER_HTTP, 'api_key', 'top_k', 'location', 'region'],
  gemini: [...GEMINI, 'api_key'],
  // Google's library gets its tokens where Google's programs do; it takes no key beside a project.
  gemini_vertex_ai: [...GEMINI, 'project', 'location'],
  scripted: ['api_key', 'turns', 'scripts'],
};

/** What the config asks of a model and cannot be had, where to pass over it would be unsafe or of no use. */
export function refusedOfModel(model: ModelSettings | null): readonly ConfigProblem[] {
  if (model === null) {
    return [
      {
        path: 'model',
        message: 'is null, so the image brings its own server: this one needs a model',
      },
    ];
  }
  const { api_key_passthrough: passthrough } = model as { readonly api_key_passthrough?: unknown };
  if (!isSet(passthrough)) return [];
  return [{ path: 'model.api_key_passthrough', message: "is refused: the user's token is for no model" }];
}

/** What is to be said of a model that can be used: fields that are passed over, by name, and what others can read. */
export function remarksOnModel(model: ModelSettings | null): readonly ConfigProblem[] {
  if (model === null) return [];
  const known = new Set([...EVERY, ...FIELDS[model.type]]);
  const unknown = Object.entries(model).filter(([field, value]) => isSet(value) && !known.has(field));
  return [
    ...unknown.map(([field]) => ({
      path: `model.${field}`,
      message: `is not implemented for the type ${model.type}, and passed over`,
    })),
    ...exposed(model),
  ];
}

function exposed(model: ModelSettings): readonly ConfigProblem[] {
  const path = 'model.tls_insecure_skip_verify';
  const warning = known(model, 'tls_insecure_skip_verify') ? tlsWarning(model, 'model') : undefined;
  const url = parseUrl(model.base_url ?? '');
  const inClear = url?.protocol === 'http:' && !isLoopback(url.hostname);
  return [
    ...(warning === undefined ? [] : [{ path, message: warning.slice(path.length + 2) }]),
    ...(inClear
      ? [
          {
            path: 'model.base_url',
            message: 'is plain http: the key of the model and all that is said can be read on the way',
          },
        ]
      : []),
  ];
}

const known = ({ type }: ModelSettings, field: string): boolean => FIELDS[type].includes(field);

const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false;

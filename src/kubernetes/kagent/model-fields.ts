import {
  type Fate,
  type Fields,
  left,
  mapped,
  mappedUnlessEmpty,
  refused,
  warned,
  within,
} from './fields.ts';
import { type JsonObject, member, objectOf, textMember } from './json.ts';
import { tls } from './shared-fields.ts';

const unsent = warned('is not sent to the model');
const number = mappedUnlessEmpty;

/** By provider: the member of the spec that is for it, and its fields. */
const PROVIDERS: Readonly<Record<string, { readonly name: string; readonly fields: Fields }>> = {
  OpenAI: {
    name: 'openAI',
    fields: {
      baseUrl: mappedUnlessEmpty('baseURL'),
      temperature: mappedUnlessEmpty(),
      maxTokens: number(),
      organization: unsent,
      topP: unsent,
      frequencyPenalty: unsent,
      presencePenalty: unsent,
      seed: unsent,
      n: unsent,
      timeout: unsent,
      reasoningEffort: unsent,
      tokenExchange: refused(
        'cannot be had here, and the Secret would be sent as the API key: give the key of the model in apiKeySecret',
      ),
    },
  },
  Anthropic: {
    name: 'anthropic',
    fields: {
      baseUrl: mappedUnlessEmpty('baseURL'),
      temperature: mappedUnlessEmpty(),
      maxTokens: number(),
      topP: unsent,
      topK: unsent,
    },
  },
  AzureOpenAI: {
    name: 'azureOpenAI',
    fields: {
      azureEndpoint: mappedUnlessEmpty('baseURL'),
      apiVersion: mappedUnlessEmpty(),
      azureDeployment: mappedUnlessEmpty('model'),
      azureAdToken: refused(
        'is a secret in plain sight: put it into a Secret, and name that in apiKeySecret',
      ),
      temperature: mappedUnlessEmpty(),
      maxTokens: number(),
      topP: unsent,
    },
  },
  Ollama: {
    name: 'ollama',
    fields: {
      host: mapped('baseURL', (host) => {
        if (host === '') return undefined;
        return typeof host === 'string' && !/^https?:\/\//.test(host) ? `http://${host}` : host;
      }),
      options: unsent,
    },
  },
  Gemini: { name: 'gemini', fields: {} },
  GeminiVertexAI: {
    name: 'geminiVertexAI',
    fields: {
      projectID: mappedUnlessEmpty('project'),
      location: mappedUnlessEmpty(),
      temperature: mappedUnlessEmpty(),
      maxOutputTokens: number('maxTokens'),
      topP: unsent,
      topK: unsent,
      stopSequences: unsent,
      candidateCount: unsent,
      responseMimeType: unsent,
    },
  },
  Bedrock: {
    name: 'bedrock',
    fields: {
      region: mappedUnlessEmpty('location'),
      additionalModelRequestFields: unsent,
      promptCaching: unsent,
      // Only says how the caching is done; the API server fills it in.
      cacheTTL: warned('is not sent to the model', (value) => value === '5m'),
    },
  },
};

const foreign = refused('is for another provider than that of provider: remove one of them');
const known = Object.keys(PROVIDERS).join(', ');

function provider(given: unknown): Fate {
  return typeof given === 'string' && Object.hasOwn(PROVIDERS, given)
    ? mappedUnlessEmpty()
    : refused(`names no provider that there is here: ${known}`);
}

/** Fields of `spec` of a ModelConfig: whose provider is `OpenAI` where none is given. */
export function modelFields(spec: JsonObject): Fields {
  const chosen = textMember(spec, 'provider') ?? 'OpenAI';
  const own = Object.hasOwn(PROVIDERS, chosen) ? PROVIDERS[chosen] : undefined;
  const names = [...Object.values(PROVIDERS).map(({ name }) => name), ...ABSENT];
  // One complaint is enough where the provider itself is not there.
  const others = Object.fromEntries(names.map((name) => [name, own === undefined ? left : foreign]));
  return {
    ...others,
    ...(own === undefined ? {} : { [own.name]: within(own.fields, 'parent') }),
    provider: provider(chosen),
    model: mapped(),
    apiKeySecret: mappedUnlessEmpty(),
    apiKeySecretKey: mappedUnlessEmpty(),
    apiKeySecretRef: refused('is of v1alpha1: name the Secret in apiKeySecret'),
    apiKeyPassthrough: refused(
      'cannot be had here: the token of the user is not for the model; give a key of the agent in apiKeySecret',
    ),
    defaultHeaders: mapped(),
    tls,
  };
}

/** Members for providers that there are in kagent only. */
const ABSENT = ['anthropicVertexAI', 'sapAICore', 'foundry'];

/** What kagent's CRD fills in: the provider. */
export function withProvider(spec: JsonObject): JsonObject {
  return { provider: 'OpenAI', ...spec };
}

/** The deployment's name is what Azure is asked for, not that of the model; it comes after it, whatever the order. */
export function deploymentLast(spec: JsonObject): JsonObject {
  const { azureOpenAI, ...rest } = spec;
  const deployed = member(objectOf(azureOpenAI), 'azureDeployment');
  return deployed === undefined ? spec : { ...rest, azureOpenAI };
}

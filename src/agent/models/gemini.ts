import { Gemini, type LlmRequest, type LlmResponse } from '@google/adk';
import type { ModelSettings } from '../../config/model.ts';
import { readSecret } from '../../core/secret.ts';
import { fetchFor } from '../tls.ts';
import type { Environment } from '../token-services.ts';
import { apiUrl } from './base-url.ts';
import { toFailure } from './failure.ts';
import { createModelFetch } from './model-fetch.ts';
import { DEFAULT_TIMEOUT_S } from './provider-model.ts';
import { sourceOf } from './providers.ts';

type GeminiParams = ConstructorParameters<typeof Gemini>[0];
type HttpOptions = NonNullable<NonNullable<LlmRequest['config']>['httpOptions']>;

/** The header field of the API key. */
const KEY_FIELD = 'x-goog-api-key';
/** Header fields that prove who is asking. */
const AUTHENTICATION: readonly string[] = [KEY_FIELD, 'authorization'];
/** For ADK, which wants a key; what is sent instead comes from the config, at each request. */
const NO_KEY = 'none';

/**
 * Makes a model of Gemini from the config. Nothing is sent, and no file is read, before it is asked.
 *
 * @throws TypeError that names the setting; what ADK throws where it finds no key, or neither project nor location
 */
export function createGemini(settings: ModelSettings, environment: Environment): Gemini {
  const { type, model, base_url: base, project, location, timeout = DEFAULT_TIMEOUT_S } = settings;
  const wire = createWire(settings, environment);
  const params = {
    model,
    // Else ADK looks into the environment for one.
    ...(wire.isProven && { apiKey: NO_KEY }),
    ...(type === 'gemini_vertex_ai' && { vertexai: true }),
    ...(project !== undefined && { project }),
    ...(location !== undefined && { location }),
  };
  const baseUrl = base === undefined ? undefined : apiUrl(base, 'model.base_url');
  return new GeminiModel(params, { wire, timeout, baseUrl });
}

/** How the API is asked. */
interface Wire {
  readonly fetch: typeof globalThis.fetch;
  /** Whether the config says by what a request is proven. */
  readonly isProven: boolean;
  /** Where it was asked last. */
  origin(): string | undefined;
  /** What was sent last, and must not be repeated. */
  secrets(): readonly string[];
}

interface GeminiOptions {
  readonly wire: Wire;
  /** Longest time for a whole answer, in seconds. */
  readonly timeout: number;
  readonly baseUrl: string | undefined;
}

/** ADK's own, over our `fetch`. As the models of other providers it never throws: what fails is an answer with an `errorCode`. */
class GeminiModel extends Gemini {
  readonly #options: GeminiOptions;

  constructor(params: GeminiParams, options: GeminiOptions) {
    super(params);
    this.#options = options;
  }

  override async *generateContentAsync(
    request: LlmRequest,
    stream = false,
    abortSignal?: AbortSignal,
  ): AsyncGenerator<LlmResponse, void> {
    const { timeout, wire, baseUrl } = this.#options;
    const late = AbortSignal.timeout(timeout * 1000);
    // Ends the request whoever leaves: ADK may leave off in the middle of an answer.
    const left = new AbortController();
    const signal = AbortSignal.any([late, left.signal, ...(abortSignal ? [abortSignal] : [])]);
    try {
      yield* super.generateContentAsync(request, stream, signal);
    } catch (error) {
      if (abortSignal?.aborted) return;
      yield toFailure(withStatus(error), {
        origin: wire.origin() ?? new URL(baseUrl ?? 'https://generativelanguage.googleapis.com').origin,
        secrets: wire.secrets(),
        timedOutAfter: late.aborted ? timeout : undefined,
      });
    } finally {
      left.abort();
    }
  }

  protected override getHttpOptions(): HttpOptions {
    const { wire, baseUrl } = this.#options;
    return { ...super.getHttpOptions(), fetch: wire.fetch, ...(baseUrl !== undefined && { baseUrl }) };
  }
}

function createWire(settings: ModelSettings, environment: Environment): Wire {
  const { type, api_key: key, headers = {} } = settings;
  // Vertex AI takes the token that Google's own library gets.
  const apiKey = type === 'gemini' && key !== undefined ? [[KEY_FIELD, key, 'model.api_key'] as const] : [];
  const others = Object.entries(headers ?? {}).map(
    ([name, text]) => [name, text, `model.headers.${name}`] as const,
  );
  const fields = [...apiKey, ...others].map(
    ([name, text, path]) => [name, sourceOf(text, path, environment), path] as const,
  );
  const isProven = fields.some(([name]) => AUTHENTICATION.includes(name.toLowerCase()));
  const drop = isProven ? AUTHENTICATION : [];
  const over = fetchFor(settings, 'model');
  let origin: string | undefined;
  let secrets: readonly string[] = [];
  return {
    isProven,
    origin: () => origin,
    secrets: () => secrets,
    async fetch(input, init) {
      origin = new URL(input instanceof Request ? input.url : input).origin;
      const sent = await Promise.all(
        fields.map(async ([name, source, path]) => [name, await readSecret(source, path)] as const),
      );
      secrets = sent.map(([, value]) => value);
      return createModelFetch({ fetch: over, drop, headers: sent })(input, init);
    },
  };
}

/** The errors of Google's library have another name for the status, and the answer as it is for a message. */
function withStatus(error: unknown): unknown {
  const { name, status, message } = Object(error) as Readonly<Record<string, unknown>>;
  return name === 'ApiError' ? { statusCode: status, message: saidIn(message) } : error;
}

function saidIn(text: unknown): unknown {
  try {
    return Object(JSON.parse(String(text))).error?.message ?? text;
  } catch {
    return text;
  }
}

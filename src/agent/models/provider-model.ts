import type { LanguageModelV3, LanguageModelV3CallOptions, SharedV3Warning } from '@ai-sdk/provider';
import { BaseLlm, type BaseLlmConnection, getLogger, type LlmRequest, type LlmResponse } from '@google/adk';
import type { ModelSettings } from '../../config/model.ts';
import { type Answer, isMalformed, toLlmResponse } from './answer.ts';
import { toCallOptions } from './call-options.ts';
import { correction } from './correction.ts';
import { toFailure } from './failure.ts';
import { readStream } from './stream.ts';

/** A provider's model, with the secrets of this moment. */
export interface OpenModel {
  readonly model: LanguageModelV3;
  /** Values that must not be repeated. */
  readonly secrets: readonly string[];
}

/** A provider that can be asked. */
export interface Provider {
  /** Origin of its API, for errors. */
  readonly origin: string;
  /** Makes the model anew for each call, so that a key that was rotated is used. */
  open(): Promise<OpenModel>;
}

/** How long a whole answer may take where the config does not say, in seconds; what the providers' own clients wait. */
export const DEFAULT_TIMEOUT_S: number = 600;
/** How often a model is told that its calls cannot be read. */
const MOST_CORRECTIONS = 2;
/** Most warnings that are remembered as told. */
const MOST_WARNINGS = 100;

/** A model of a provider of the AI SDK, as ADK asks one. It never throws: what fails is an answer with an `errorCode`. */
export class ProviderModel extends BaseLlm {
  readonly #provider: Provider;
  readonly #settings: ModelSettings;
  readonly #warned = new Set<string>();

  constructor(provider: Provider, settings: ModelSettings) {
    super({ model: settings.model });
    this.#provider = provider;
    this.#settings = settings;
  }

  override async *generateContentAsync(
    request: LlmRequest,
    stream = false,
    abortSignal?: AbortSignal,
  ): AsyncGenerator<LlmResponse, void> {
    this.maybeAppendUserContent(request);
    const { timeout = DEFAULT_TIMEOUT_S } = this.#settings;
    const late = AbortSignal.timeout(timeout * 1000);
    // Ends the request whoever leaves: ADK may leave off in the middle of an answer.
    const left = new AbortController();
    const signal = AbortSignal.any([late, left.signal, ...(abortSignal ? [abortSignal] : [])]);
    let secrets: readonly string[] = [];
    try {
      const opened = await this.#provider.open();
      secrets = opened.secrets;
      const options = { ...toCallOptions(request, this.#settings), abortSignal: signal };
      const answer = yield* this.#ask(opened.model, options, stream);
      yield toLlmResponse(answer);
    } catch (error) {
      if (abortSignal?.aborted) return;
      const timedOutAfter = late.aborted ? timeout : undefined;
      yield toFailure(error, { origin: this.#provider.origin, secrets, timedOutAfter });
    } finally {
      left.abort();
    }
  }

  override connect(): Promise<BaseLlmConnection> {
    return Promise.reject(new Error(`the model ${this.model} has no live connection`));
  }

  /** Asks until every call of the answer can be read, or it is no use. */
  async *#ask(
    model: LanguageModelV3,
    options: LanguageModelV3CallOptions,
    stream: boolean,
  ): AsyncGenerator<LlmResponse, Answer> {
    const asked = { ...options };
    const earlier: Answer[] = [];
    for (;;) {
      const answer = yield* this.#answer(model, asked, stream);
      const usages = [...earlier, answer].flatMap((each) => each.usages);
      // They were shown already.
      const texts = earlier.flatMap(({ content }) => content.filter(({ type }) => type === 'text'));
      const whole = { ...answer, usages, content: [...texts, ...answer.content] };
      if (!answer.content.some(isMalformed)) return whole;
      if (earlier.length === MOST_CORRECTIONS) throw new Error(MALFORMED);
      earlier.push(answer);
      asked.prompt = [...asked.prompt, ...correction(answer.content)];
    }
  }

  async *#answer(
    model: LanguageModelV3,
    options: LanguageModelV3CallOptions,
    stream: boolean,
  ): AsyncGenerator<LlmResponse, Answer> {
    const warn = (warnings: readonly SharedV3Warning[]): void => this.#warn(warnings);
    if (stream) {
      const { stream: parts } = await model.doStream(options);
      return yield* readStream(parts, warn);
    }
    const { content, finishReason, usage, response, warnings } = await model.doGenerate(options);
    warn(warnings);
    return { content, finishReason, usages: [usage], modelId: response?.modelId };
  }

  /** Tells once what the provider left out of what it was asked. */
  #warn(warnings: readonly SharedV3Warning[]): void {
    for (const warning of warnings) {
      const what = warning.type === 'other' ? warning.message : `${warning.feature} is not for this model`;
      if (this.#warned.has(what) || this.#warned.size >= MOST_WARNINGS) continue;
      this.#warned.add(what);
      getLogger().warn(`onbehalf: model ${this.model}: ${what}`);
    }
  }
}

const MALFORMED = 'the model called tools with arguments that are no JSON object, again and again';

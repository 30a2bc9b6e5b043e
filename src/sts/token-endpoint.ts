import { setTimeout as delay } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { TOKEN_EXCHANGE_GRANT } from '../core/token-types.ts';
import { type Attempt, attachAttempt } from './attempt.ts';
import { type ExchangeLog, type ExchangeRecord, showable } from './exchange-log.ts';
import { type Fault, type FaultQueue, type FrontFault, isFrontFault, isLyingFault } from './faults.ts';
import { peekForm } from './request-body.ts';

/** Koa middleware. */
export type Middleware = (ctx: KoaContextWithOIDC, next: () => Promise<void>) => Promise<void>;

/**
 * Stands in front of the provider's token endpoint: applies injected faults to token exchange requests and
 * records every one of them. Other requests pass untouched.
 *
 * @param options.closing - ends a `latency` wait when the server closes
 */
export function watchTokenEndpoint(options: {
  readonly path: string;
  readonly faults: FaultQueue;
  readonly log: ExchangeLog;
  readonly closing: AbortSignal;
}): Middleware {
  const { path, faults, log, closing } = options;
  return async (ctx, next) => {
    if (ctx.method !== 'POST' || ctx.path !== path || !ctx.is('application/x-www-form-urlencoded'))
      return next();
    const form = await peekForm(ctx);
    if (form === undefined) return answer(ctx, 413, { error: 'invalid_request' });
    if (form.get('grant_type') !== TOKEN_EXCHANGE_GRANT) return next();

    const fault = faults.take([...form.getAll('audience'), ...form.getAll('resource')]);
    const attempt: Attempt = fault !== undefined && isLyingFault(fault) ? { lie: fault } : {};
    attachAttempt(ctx, attempt);
    if (fault?.kind === 'latency') await delay(fault.ms, undefined, { signal: closing }).catch(() => {});
    const answered = fault !== undefined && isFrontFault(fault) && applyFront(ctx, fault);
    if (!answered) await next();
    log.add({
      at: new Date().toISOString(),
      ...requestedBy(ctx, form),
      ...(attempt.sub === undefined ? {} : { sub: showable(attempt.sub) }),
      ...(attempt.act === undefined ? {} : { act: showable(attempt.act) }),
      ...outcomeOf(ctx, answered),
      ...(fault === undefined ? {} : { fault: fault.kind satisfies Fault['kind'] }),
    });
  };
}

/** @returns whether the fault has answered, so that the provider must not */
function applyFront(ctx: KoaContextWithOIDC, fault: FrontFault): boolean {
  switch (fault.kind) {
    case 'latency':
      return false;
    case 'status':
      if (fault.retryAfter !== undefined) ctx.set('Retry-After', String(fault.retryAfter));
      answer(ctx, fault.status, { error: 'temporarily_unavailable' });
      return true;
    case 'garbage':
      answer(ctx, 200, '{"access_token": ');
      ctx.type = 'application/json';
      return true;
    case 'content-type':
      answer(ctx, 200, '<!doctype html><title>Sign in</title>');
      ctx.type = 'text/html';
      return true;
    case 'error-body':
      answer(ctx, 200, { error: 'server_error', error_description: 'an injected fault' });
      return true;
    case 'disconnect':
      // Tells Koa that the response is not its business any more.
      ctx.respond = false;
      ctx.res.socket?.destroy();
      return true;
  }
}

function answer(ctx: KoaContextWithOIDC, status: number, body: string | object): void {
  ctx.status = status;
  ctx.set('Cache-Control', 'no-store');
  ctx.body = body;
}

function outcomeOf(ctx: KoaContextWithOIDC, answered: boolean): Pick<ExchangeRecord, 'outcome' | 'status'> {
  if (answered) return { outcome: 'fault', status: ctx.respond === false ? 0 : ctx.status };
  const { error } = (ctx.body ?? {}) as { error?: unknown };
  return { outcome: typeof error === 'string' ? error : 'issued', status: ctx.status };
}

function requestedBy(
  ctx: KoaContextWithOIDC,
  form: URLSearchParams,
): Pick<ExchangeRecord, 'clientId' | 'audience' | 'resource' | 'scope'> {
  const clientId = namedClient(ctx, form);
  const scope = form.get('scope');
  return {
    ...(clientId === undefined ? {} : { clientId: showable(clientId) }),
    audience: form.getAll('audience').map(showable),
    resource: form.getAll('resource').map(showable),
    ...(scope === null ? {} : { scope: showable(scope) }),
  };
}

/** The client a request claims to be from, also when an injected fault answers before authentication. */
function namedClient(ctx: KoaContextWithOIDC, form: URLSearchParams): string | undefined {
  try {
    const basic = /^Basic (.+)$/i.exec(ctx.get('authorization'))?.[1];
    if (basic !== undefined) {
      const [id = ''] = Buffer.from(basic, 'base64').toString('utf8').split(':');
      return decodeURIComponent(id.replaceAll('+', '%20'));
    }
    const assertion = form.get('client_assertion');
    if (assertion !== null) return decodeJwt(assertion).sub;
  } catch {
    // Malformed credentials name nobody; the provider refuses them in its own words.
  }
  return form.get('client_id') ?? undefined;
}

import { checkOptions, isText, type OptionForm } from './options.ts';
import type { TokenService } from './token-service-handle.ts';
import { parseUrl } from './url.ts';

/** How an exchange is made: which grant, in how many steps. */
export type ProfileName = 'rfc8693' | 'entra-obo' | 'id-jag';

/** A check of an issued token that can be left out: see {@link Target.unchecked}. */
export type Check = 'audience' | 'other_audiences' | 'subject' | 'scope' | 'actor';

/** One or more values of a request parameter that may be repeated. */
export type OneOrMore = string | readonly string[];

/** What a token is for. At least one of `audience`, `resource` and `scope` is given. */
export interface Target {
  /** Logical name(s) of the target service, RFC 8693 section 2.1. */
  readonly audience?: OneOrMore | undefined;
  /** Absolute URI(s) of the target service, without fragment, RFC 8707 section 2. */
  readonly resource?: OneOrMore | undefined;
  /** Scope value(s); a string is split at spaces, RFC 6749 section 3.3. */
  readonly scope?: OneOrMore | undefined;
  /** `requested_token_type`, RFC 8693 section 3. Default: not sent, the STS decides. */
  readonly requestedTokenType?: string | undefined;
  /** How the token is got. Default: as the dialect of the token service says, else `rfc8693`. */
  readonly profile?: ProfileName | undefined;
  /** For `id-jag`: the resource's own authorization server, where the ID-JAG is turned into an access token. */
  readonly authorizationServer?: TokenService | undefined;
  /** Takes an issued token that is not a JWT: nothing in it can be checked. Default: false. */
  readonly allowOpaqueIssued?: boolean | undefined;
  /** Checks of the issued token that are left out, because this STS means something else by the claim. Default: none. */
  readonly unchecked?: readonly Check[] | undefined;
}

/** A {@link Target} that was checked: lists only, scopes sorted and without repetition, frozen. */
export interface ResolvedTarget {
  /** `audience` parameters, in order. */
  readonly audiences: readonly string[];
  /** `resource` parameters, in order. */
  readonly resources: readonly string[];
  /** Scope values, sorted. */
  readonly scopes: readonly string[];
  /** `requested_token_type`; `undefined`: not sent, unless the dialect has one. */
  readonly requestedTokenType: string | undefined;
  /** How the token is got; `undefined`: as the dialect says. */
  readonly profile: ProfileName | undefined;
  /** For `id-jag`: the resource's authorization server. */
  readonly authorizationServer: TokenService | undefined;
  /** Whether an opaque token is taken. */
  readonly allowOpaqueIssued: boolean;
  /** Checks that are left out, sorted. */
  readonly unchecked: readonly Check[];
}

const resolved = new WeakSet<object>();

const FORMS = {
  audience: 'any?',
  resource: 'any?',
  scope: 'any?',
  requestedTokenType: 'text?',
  profile: ['rfc8693', 'entra-obo', 'id-jag'],
  authorizationServer: 'object?',
  allowOpaqueIssued: 'boolean?',
  unchecked: 'object?',
} as const satisfies Readonly<Record<keyof Target, OptionForm>>;

const CHECKS: readonly Check[] = ['audience', 'other_audiences', 'subject', 'scope', 'actor'];

/**
 * Checks a target once, so that later look-ups need not.
 *
 * @throws TypeError that names the field when the target is empty or a value is not of its form
 */
export function resolveTarget(target: Target | ResolvedTarget | string): ResolvedTarget {
  if (typeof target === 'object' && resolved.has(target)) return target as ResolvedTarget;
  const given: Target = typeof target === 'string' ? { audience: target } : (target as Target);
  checkOptions(given, 'a target', FORMS);
  const audiences = list(given.audience, 'audience');
  const resources = list(given.resource, 'resource');
  resources.forEach(assertResource);
  const scopes = list(given.scope, 'scope').flatMap((value) => value.split(' ').filter(Boolean));
  if (audiences.length + resources.length + scopes.length === 0) {
    throw new TypeError('a target needs at least one of "audience", "resource" and "scope"');
  }
  const { requestedTokenType, profile, authorizationServer, allowOpaqueIssued = false } = given;
  if ((profile === 'id-jag') !== (authorizationServer !== undefined)) {
    throw new TypeError('a target needs "authorizationServer" with the profile "id-jag", and only then');
  }
  const result: ResolvedTarget = Object.freeze({
    audiences: Object.freeze(audiences),
    resources: Object.freeze(resources),
    scopes: Object.freeze([...new Set(scopes)].sort()),
    ...{ requestedTokenType, profile, authorizationServer, allowOpaqueIssued },
    unchecked: checks(given.unchecked),
  });
  resolved.add(result);
  return result;
}

/** The target's parameters of a token request (RFC 8693 section 2.1), repeated ones in the order of the target. */
export function targetForm(target: ResolvedTarget): URLSearchParams {
  const form = new URLSearchParams();
  for (const resource of target.resources) form.append('resource', resource);
  for (const audience of target.audiences) form.append('audience', audience);
  if (target.scopes.length > 0) form.set('scope', target.scopes.join(' '));
  return form;
}

/** A short name of a target for people: audiences, else resources, else scopes. */
export function describeTarget(target: ResolvedTarget): string {
  const named = [target.audiences, target.resources, target.scopes].find((values) => values.length > 0);
  return (named ?? []).join(' ');
}

function list(value: OneOrMore | undefined, field: string): string[] {
  if (value === undefined) return [];
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  for (const each of values) {
    if (!isText(each) || each.trim() === '') {
      throw new TypeError(`"${field}" of a target must be a non-empty string or a list of them`);
    }
  }
  return [...values] as string[];
}

function checks(given: unknown): readonly Check[] {
  checkNames(given);
  return Object.freeze([...new Set(given as readonly Check[] | undefined)].sort());
}

/** @throws TypeError unless `unchecked` is a list of names of checks */
export function checkNames(unchecked: unknown = []): void {
  if (Array.isArray(unchecked) && unchecked.every((check) => CHECKS.includes(check))) return;
  throw new TypeError(`"unchecked" must be a list of ${CHECKS.join(', ')}`);
}

function assertResource(resource: string): void {
  if (!parseUrl(resource) || resource.includes('#')) {
    throw new TypeError(
      '"resource" of a target must be an absolute URI without a fragment (RFC 8707 section 2)',
    );
  }
}

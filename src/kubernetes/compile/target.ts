import type { TargetFields, TokenExchangeSpec } from '../api/target.ts';

/** One who says what tokens are for; the earlier of two wins. */
export interface TargetLevel<From extends string = string> {
  readonly from: From;
  readonly fields: TargetFields;
}

/** What tokens for a server are for, and by field, which level said so. */
export interface ResolvedTarget<From extends string = string> {
  /** Without members: no level says anything. */
  readonly exchange: TokenExchangeSpec;
  readonly from: Readonly<Partial<Record<keyof TokenExchangeSpec, From>>>;
}

const FIELDS = [
  'audiences',
  'resources',
  'scopes',
  'requestedTokenType',
  'profile',
  'tokenServiceRef',
] as const satisfies readonly (keyof TokenExchangeSpec)[];

/**
 * S8 and S9: each field as the first of the levels says that has it. So a tool reference that gives scopes only keeps
 * the audiences of its server. `stsAudience: x` is the same as `tokenExchange: { audiences: [x] }`.
 *
 * @param levels - the strongest first: the tool reference, then the server
 */
export function resolveTarget<From extends string>(
  levels: readonly TargetLevel<From>[],
): ResolvedTarget<From> {
  const found = FIELDS.flatMap((field) => {
    const level = levels.find(({ fields }) => exchangeOf(fields)[field] !== undefined);
    return level === undefined ? [] : [{ field, from: level.from, value: exchangeOf(level.fields)[field] }];
  });
  return {
    exchange: Object.fromEntries(found.map(({ field, value }) => [field, value])),
    from: Object.fromEntries(found.map(({ field, from }) => [field, from])) as ResolvedTarget<From>['from'],
  };
}

/** Whether a token is asked for: a token is for an audience, a resource or a scope. */
export function hasTarget({ audiences, resources, scopes }: TokenExchangeSpec): boolean {
  return audiences !== undefined || resources !== undefined || scopes !== undefined;
}

/** The audience of what is declared with one, by either of the two fields. */
export function soleAudience(fields: TargetFields): string | undefined {
  const { audiences = [] } = exchangeOf(fields);
  return audiences.length === 1 ? audiences[0] : undefined;
}

function exchangeOf({ stsAudience, tokenExchange }: TargetFields): TokenExchangeSpec {
  return tokenExchange ?? (stsAudience === undefined ? {} : { audiences: [stsAudience] });
}

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exchangeRequest } from '../../src/core/exchange.ts';
import { resolveTarget, type Target } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import { securityToken } from '../../src/core/token-types.ts';
import { ACTOR, AT, ID, JWT, LEGACY, POOL, PRESETS, SUBJECT } from './presets.ts';

const EXCHANGE = ['grant_type', 'client_id', 'subject_token', 'subject_token_type', 'audience', 'scope'];
const ACTING = ['actor_token', 'actor_token_type'];

/** Everything that a provider is ever sent. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  keycloak: [...EXCHANGE, 'requested_token_type'],
  'keycloak(delegation)': [...EXCHANGE, ...ACTING, 'requested_token_type'],
  okta: EXCHANGE,
  'auth0-on-behalf-of': [...EXCHANGE, 'requested_token_type'],
  [`auth0-custom(${LEGACY})`]: [...EXCHANGE, ...ACTING],
  zitadel: [...EXCHANGE, ...ACTING, 'requested_token_type'],
  authentik: [...EXCHANGE, ...ACTING, 'requested_token_type'],
  google: [...EXCHANGE.filter((name) => name !== 'client_id'), 'requested_token_type'],
  'dex(upstream)': [
    ...EXCHANGE.filter((name) => name !== 'audience'),
    'connector_id',
    'requested_token_type',
  ],
  entra: ['grant_type', 'client_id', 'assertion', 'scope', 'requested_token_use'],
};

const types = fc.constantFrom(AT, ID, JWT, LEGACY, 'urn:ietf:params:oauth:token-type:saml2');
const few = (...values: string[]) =>
  fc.oneof(
    fc.uniqueArray(fc.constantFrom(...values), { maxLength: 1 }),
    fc.uniqueArray(fc.constantFrom(...values)),
  );
const anyText = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => text.trim() !== '');

/** Anything, and often what the preset takes. */
const exchangesOf = ({ target, subjectType = AT }: (typeof PRESETS)[number]) =>
  fc
    .record({
      audience: fc.oneof(
        fc.constant([target.audience].flat()),
        few('calendar', 'files', POOL),
        fc.array(anyText, { maxLength: 2 }),
      ),
      resource: fc.oneof(
        { arbitrary: fc.constant([]), weight: 4 },
        { arbitrary: few('https://mcp.example.com/'), weight: 1 },
      ),
      scope: fc.oneof(
        few('read', 'openid', 'audience:server:client_id:files'),
        fc.array(anyText, { maxLength: 2 }),
      ),
      requestedTokenType: fc.option(types, { nil: undefined, freq: 1 }),
      subjectType: fc.oneof(fc.constant(subjectType), types),
      actorType: fc.option(types, { nil: undefined, freq: 1 }),
    })
    .filter(({ audience, resource, scope }) => audience.length + resource.length + scope.length > 0);

test.each(PRESETS.map((preset) => [preset.dialect.name, preset] as const))(
  '%s is sent its parameters only, and no token but in its own, whatever is asked for',
  async (name, preset) => {
    const { dialect } = preset;
    let form = new URLSearchParams();
    let sent = 0;
    const service = createTokenService({
      tokenEndpoint: 'https://sts.example.com/token',
      clientId: 'agent',
      dialect,
      fetch: async (_url, init) => {
        form = new URLSearchParams(String(init?.body));
        sent += 1;
        return Response.json({});
      },
    });

    await fc.assert(
      fc.asyncProperty(exchangesOf(preset), async ({ subjectType, actorType, ...given }) => {
        const target = resolveTarget(given as Target);
        const before = sent;
        try {
          await exchangeRequest(service, {
            subject: securityToken(SUBJECT, subjectType),
            actor: actorType === undefined ? undefined : securityToken(ACTOR, actorType),
            target,
          });
        } catch (error) {
          expect(error).toMatchObject({ code: 'exchange_unsupported' });
          expect(sent).toBe(before);
          return;
        }
        expect(ALLOWED[name]).toEqual(expect.arrayContaining([...form.keys()]));
        const holding = (token: string) => [...form].filter(([, value]) => value.includes(token));
        const subjectField = name === 'entra' ? 'assertion' : 'subject_token';
        expect(holding(SUBJECT)).toEqual([[subjectField, SUBJECT]]);
        expect(holding(ACTOR)).toEqual(actorType === undefined ? [] : [['actor_token', ACTOR]]);
        // What was asked for is asked for: nothing is dropped on the way.
        if (name !== 'entra') expect(audiencesOf(form, name)).toEqual(target.audiences);
        expect(form.get('scope')?.split(' ') ?? []).toEqual(expect.arrayContaining([...target.scopes]));
        expect(target.resources).toEqual([]);
      }),
      { numRuns: 500 },
    );
    expect(sent).toBeGreaterThan(20);
  },
);

function audiencesOf(form: URLSearchParams, name: string): readonly string[] {
  if (!name.startsWith('dex')) return form.getAll('audience');
  const prefix = 'audience:server:client_id:';
  const scopes = form.get('scope')?.split(' ') ?? [];
  return scopes.filter((scope) => scope.startsWith(prefix)).map((scope) => scope.slice(prefix.length));
}

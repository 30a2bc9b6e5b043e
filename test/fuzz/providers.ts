import type { Dialect } from '../../src/core/dialect.ts';
import { auth0Custom } from '../../src/dialects/auth0-custom.ts';
import { auth0OnBehalfOf } from '../../src/dialects/auth0-on-behalf-of.ts';
import { authentik } from '../../src/dialects/authentik.ts';
import { dex } from '../../src/dialects/dex.ts';
import { entra } from '../../src/dialects/entra.ts';
import { keycloak } from '../../src/dialects/keycloak.ts';
import { okta } from '../../src/dialects/okta.ts';
import { zitadel } from '../../src/dialects/zitadel.ts';
import type { Provider } from './reference.ts';
import { TYPES, type Wish } from './world.ts';

/** A provider, what it can be asked for, and how its documentation departs from the RFC. */
export interface ProviderCase {
  readonly dialect: Dialect;
  readonly wishes: readonly Wish[];
  readonly facts: Provider;
}

const AUDIENCE: readonly Wish[] = [{ audience: 'calendar' }, { audience: 'calendar', scope: 'read' }];

export const PROVIDERS: readonly ProviderCase[] = [
  {
    dialect: auth0Custom({ subjectTokenType: 'urn:example:token' }),
    wishes: AUDIENCE,
    facts: { impliedType: TYPES.accessToken },
  },
  { dialect: auth0OnBehalfOf(), wishes: AUDIENCE, facts: { requestedTokenType: TYPES.accessToken } },
  { dialect: authentik(), wishes: AUDIENCE, facts: {} },
  {
    dialect: dex({ connectorId: 'upstream' }),
    wishes: AUDIENCE,
    facts: { unchecked: ['subject', 'other_audiences'] },
  },
  {
    dialect: entra(),
    wishes: [
      { audience: 'calendar', scope: 'api://calendar/.default' },
      { audience: 'calendar', scope: 'api://calendar/read' },
    ],
    facts: { impliedType: TYPES.accessToken, byOid: true, shortScopes: true },
  },
  { dialect: keycloak(), wishes: AUDIENCE, facts: { addedScopes: ['profile', 'email'] } },
  { dialect: okta(), wishes: AUDIENCE, facts: {} },
  { dialect: zitadel(), wishes: AUDIENCE, facts: { requestedTokenType: TYPES.jwt } },
];

export { type Auth0CustomOptions, auth0Custom } from './auth0-custom.ts';
export { auth0OnBehalfOf } from './auth0-on-behalf-of.ts';
export { authentik } from './authentik.ts';
export { type DexOptions, dex } from './dex.ts';
export { entra } from './entra.ts';
export { type GoogleOptions, google } from './google.ts';
export { type KeycloakOptions, keycloak } from './keycloak.ts';
export { okta } from './okta.ts';
export { zitadel } from './zitadel.ts';

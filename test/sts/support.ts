import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWTPayload, SignJWT } from 'jose';
import { onTestFinished } from 'vitest';
import {
  createDevelopmentSts,
  type DevelopmentClient,
  type DevelopmentSts,
  type DevelopmentStsOptions,
} from '../../src/sts/index.ts';

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
export const JWT = 'urn:ietf:params:oauth:token-type:jwt';
export const ID_TOKEN = 'urn:ietf:params:oauth:token-type:id_token';

export const AGENT: DevelopmentClient = {
  clientId: 'agent',
  authentication: 'client_secret_basic',
  clientSecret: 'agent-secret',
  audiences: ['calendar', 'files', 'https://mcp.example.com/billing'],
  scopes: ['read', 'write'],
};

/** A server that is closed at the end of the test. */
export async function startSts(options: Partial<DevelopmentStsOptions> = {}): Promise<DevelopmentSts> {
  const sts = await createDevelopmentSts({
    clients: [AGENT],
    // Well below the life of subject tokens, so that no second that passes meanwhile changes `expires_in`.
    accessTokenTtl: 120,
    users: [{ sub: 'alice', name: 'Alice' }, { sub: 'bob' }],
    ...options,
  });
  onTestFinished(() => sts.close());
  return sts;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown>;
}

export type Form = Readonly<Record<string, string | readonly string[]>>;

/** Posts a form to the token endpoint, by default as the agent. */
export async function post(
  sts: DevelopmentSts,
  form: Form,
  headers: Record<string, string> = basic(AGENT),
): Promise<Answer> {
  const response = await postRaw(sts, form, headers);
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Answer['body'],
  };
}

export function postRaw(
  sts: DevelopmentSts,
  form: Form,
  headers: Record<string, string> = basic(AGENT),
): Promise<Response> {
  const body = new URLSearchParams();
  for (const [name, values] of Object.entries(form)) {
    for (const value of [values].flat()) body.append(name, value);
  }
  return fetch(sts.tokenEndpoint, { method: 'POST', headers, body });
}

/** The form of an exchange of alice's token for the calendar. */
export async function exchangeForm(sts: DevelopmentSts, more: Form = {}): Promise<Form> {
  return {
    grant_type: EXCHANGE,
    subject_token: await sts.mintSubjectToken({ sub: 'alice', audience: 'agent' }),
    subject_token_type: ACCESS_TOKEN,
    audience: 'calendar',
    ...more,
  };
}

export function basic({ clientId, clientSecret = '' }: DevelopmentClient): Record<string, string> {
  return { authorization: `Basic ${btoa(`${clientId}:${clientSecret}`)}` };
}

/** An issuer outside: signs what it is told to. */
export async function createIssuer(issuer: string): Promise<{
  readonly issuer: string;
  readonly jwks: JSONWebKeySet;
  sign(claims: JWTPayload): Promise<string>;
}> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'outside', alg: 'ES256' }] };
  const sign = (claims: JWTPayload): Promise<string> => {
    const exp = Math.floor(Date.now() / 1000) + 300;
    return new SignJWT({ iss: issuer, exp, ...claims })
      .setProtectedHeader({ alg: 'ES256', kid: 'outside' })
      .sign(privateKey);
  };
  return { issuer, jwks, sign };
}

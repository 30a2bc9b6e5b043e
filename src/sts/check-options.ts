import { secureUrl } from '../core/secure-url.ts';
import type { DevelopmentStsOptions } from './options.ts';

type Fields = Readonly<Record<string, unknown>>;

const OPTIONS = [
  'host',
  'port',
  'dangerouslyAllowNonLoopback',
  'accessTokenTtl',
  'clients',
  'users',
  'trustedIssuers',
  'onExchange',
  'onToken',
];
const CLIENT = ['clientId', 'authentication', 'clientSecret', 'jwks', 'audiences', 'scopes'];
const METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'];
const PRINTABLE = /^[\x20-\x7e]+$/;

/**
 * Checks options of any origin, also JSON that a user wrote, down to misspelt names.
 *
 * @throws TypeError that starts with the path of the field, e.g. `clients[0].audiences`
 */
export function checkOptions(value: unknown): asserts value is DevelopmentStsOptions {
  const options = fields(value, 'the configuration', OPTIONS);
  if (options.host !== undefined) text(options.host, 'host');
  if (options.port !== undefined) whole(options.port, 'port', { least: 0, most: 65535 });
  if (options.accessTokenTtl !== undefined) whole(options.accessTokenTtl, 'accessTokenTtl', { least: 1 });
  const dangerous = options.dangerouslyAllowNonLoopback;
  if (dangerous !== undefined && typeof dangerous !== 'boolean') {
    throw new TypeError('dangerouslyAllowNonLoopback must be true or false');
  }
  const clients = list(options.clients, 'clients');
  if (clients.length === 0) throw new TypeError('clients must name at least one client');
  clients.forEach(checkClient);
  unique(clients, 'clients', 'clientId');
  const users = list(options.users ?? [], 'users');
  users.forEach(checkUser);
  unique(users, 'users', 'sub');
  const issuers = list(options.trustedIssuers ?? [], 'trustedIssuers');
  issuers.forEach(checkIssuer);
  unique(issuers, 'trustedIssuers', 'issuer');
}

function checkClient(value: unknown, index: number): void {
  const path = `clients[${index}]`;
  const client = fields(value, path, CLIENT);
  printable(client.clientId, `${path}.clientId`);
  const method = client.authentication;
  if (typeof method !== 'string' || !METHODS.includes(method)) {
    throw new TypeError(`${path}.authentication must be one of ${METHODS.join(', ')}`);
  }
  checkCredential(client, { path, name: 'clientSecret', wanted: method.startsWith('client_secret_') });
  checkCredential(client, { path, name: 'jwks', wanted: method === 'private_key_jwt' });
  if (client.clientSecret !== undefined) printable(client.clientSecret, `${path}.clientSecret`);
  if (client.jwks !== undefined) publicKeys(client.jwks, `${path}.jwks`);
  texts(client.audiences, `${path}.audiences`);
  texts(client.scopes ?? [], `${path}.scopes`);
}

function checkCredential(
  client: Fields,
  { path, name, wanted }: { readonly path: string; readonly name: string; readonly wanted: boolean },
): void {
  const method = String(client.authentication);
  if (wanted && client[name] === undefined) {
    throw new TypeError(`${path}.${name} is missing: authentication ${method} needs it`);
  }
  if (!wanted && client[name] !== undefined) {
    throw new TypeError(`${path}.${name} must not be there: authentication ${method} does not use it`);
  }
}

function checkUser(value: unknown, index: number): void {
  const path = `users[${index}]`;
  const user = fields(value, path, ['sub', 'name']);
  text(user.sub, `${path}.sub`);
  if (user.name !== undefined) text(user.name, `${path}.name`);
}

function checkIssuer(value: unknown, index: number): void {
  const path = `trustedIssuers[${index}]`;
  const { issuer, jwks, jwksUri } = fields(value, path, ['issuer', 'jwks', 'jwksUri']);
  text(issuer, `${path}.issuer`);
  if ((jwks === undefined) === (jwksUri === undefined)) {
    throw new TypeError(`${path} must have exactly one of jwks and jwksUri`);
  }
  if (jwks !== undefined) publicKeys(jwks, `${path}.jwks`);
  if (jwksUri !== undefined) secureUrl(text(jwksUri, `${path}.jwksUri`), `${path}.jwksUri`);
}

function publicKeys(value: unknown, path: string): void {
  const keys = list(fields(value, path).keys, `${path}.keys`);
  if (keys.length === 0) throw new TypeError(`${path}.keys must hold at least one key`);
  keys.forEach((entry, index) => {
    const key = fields(entry, `${path}.keys[${index}]`);
    text(key.kty, `${path}.keys[${index}].kty`);
    if (key.d !== undefined || key.k !== undefined) {
      throw new TypeError(`${path}.keys[${index}] must be a public key: take its private members out`);
    }
  });
}

function fields(value: unknown, path: string, known?: readonly string[]): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${path} must be an object`);
  }
  const unknown = known && Object.keys(value).find((name) => !known.includes(name));
  if (known !== undefined && unknown !== undefined) {
    throw new TypeError(
      `${path} has an unknown field ${JSON.stringify(unknown)}; known are ${known.join(', ')}`,
    );
  }
  return value as Fields;
}

function list(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new TypeError(`${path} must be an array`);
  return value;
}

function texts(value: unknown, path: string): void {
  list(value, path).forEach((item, index) => {
    text(item, `${path}[${index}]`);
  });
}

function text(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '') throw new TypeError(`${path} must be a non-empty string`);
  return value;
}

function printable(value: unknown, path: string): void {
  // RFC 6749 appendix A: VSCHAR.
  if (!PRINTABLE.test(text(value, path))) throw new TypeError(`${path} must be printable ASCII`);
}

function whole(value: unknown, path: string, { least, most }: { least: number; most?: number }): void {
  const fits = Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= (most ?? Infinity);
  if (fits) return;
  const range = most === undefined ? `from ${least}` : `from ${least} to ${most}`;
  throw new TypeError(`${path} must be a whole number ${range}`);
}

function unique(items: readonly unknown[], path: string, name: string): void {
  const seen = new Set<unknown>();
  items.forEach((item, index) => {
    const value = (item as Fields)[name];
    if (seen.has(value)) throw new TypeError(`${path}[${index}].${name} is there twice: ${String(value)}`);
    seen.add(value);
  });
}

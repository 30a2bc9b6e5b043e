import { fileURLToPath } from 'node:url';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv';
import { expect, it, test } from 'vitest';
import { run } from '../../src/cli/run.ts';
import { EXAMPLES } from '../../src/config/examples.ts';
import { configFields, configJsonSchema, type JsonSchema } from '../../src/config/json-schema.ts';
import { readRuntimeConfig } from '../../src/config/read-config.ts';
import { configurationPage, PAGE_FILE, SCHEMA_FILE, schemaText } from '../../tools/configuration-page.mjs';
import { readText } from '../support/regions.ts';
import { KAGENT, LEAST, SERVICE } from './fixtures.ts';

const schema = configJsonSchema();
const fields = configFields(schema);
const accepts = ((): ((value: unknown) => boolean) => {
  const validate = new AjvJsonSchemaValidator().getValidator(schema as never);
  return (value) => validate(value).valid;
})();

const FULL = {
  ...LEAST,
  $schema: './node_modules/onbehalf/schema/config.schema.json',
  name: 'team/assistant',
  http_tools: [
    { params: { url: 'https://a.example.com' }, sts_audience: 'a', discovery: 'agent' },
    { params: { url: 'https://b.example.com' }, token_exchange: { token_service: 'sts', scopes: ['s'] } },
  ],
  token_exchange: {
    token_services: {
      sts: {
        ...SERVICE,
        client_authentication: { method: 'private_key_jwt', private_key: 'file:/key.pem' },
        actor: { source: 'file', path: '/token' },
      },
    },
    retention: 'subject',
  },
  authentication: { mode: 'jwt', audience: 'a', issuers: [{ issuer: 'https://idp.example.com' }] },
};

test.each([
  ['the least that there can be', LEAST],
  ['a config of kagent with every field', KAGENT],
  ['one with all of ours', FULL],
  ['an image with a model of its own', { model: null }],
  ['the example', JSON.parse(readText('examples/agent/config.json'))],
])('accepts %s, as the agent server does', (_, config) => {
  expect(readRuntimeConfig(config).problems).toBeUndefined();
  expect(accepts(config)).toBe(true);
});

it('accepts what the samples of deploy/ come to', async () => {
  const folder = fileURLToPath(new URL('../../deploy/samples', import.meta.url));
  let out = '';
  await run(['compile', '--json', '-f', folder, '-f', `${folder}/demo`], {
    out: (text) => {
      out += text;
    },
    err: () => {},
    interrupted: () => Promise.resolve(),
  });
  const configs = (JSON.parse(out) as readonly { readonly config: unknown }[]).map(({ config }) => config);
  expect(configs.length).toBeGreaterThan(2);
  for (const config of configs) expect([accepts(config), config]).toEqual([true, config]);
});

const server = { params: { url: 'https://a.example.com' } };
const servers = (more: object): object => ({ http_tools: [{ ...server, ...more }] });
const service = (more: object): object => ({
  token_exchange: { token_services: { sts: { ...SERVICE, ...more } } },
});

test.each<[string, object]>([
  ['a field that nobody knows', { nome: 'x' }],
  ['no model', { model: undefined }],
  ['a model of no known type', { model: { type: 'x', model: 'y' } }],
  ['a scripted model that says nothing', { model: { type: 'scripted', model: 'y' } }],
  ['a script for another model', { model: { ...(LEAST.model as object), turns: [] } }],
  ['a server without params', { http_tools: [{}] }],
  ['a URL of no server', { sse_tools: [{ params: { url: 'https://' } }] }],
  ['both ways to say what tokens are for', servers({ sts_audience: 'a', token_exchange: { scopes: ['s'] } })],
  ['tokens for nothing', servers({ token_exchange: { token_service: 'sts' } })],
  ['the same of another agent', { remote_agents: [{ name: 'a', url: 'https://a', token_exchange: {} }] }],
  ['no time at all', { http_tools: [{ params: { url: 'https://a.example.com', timeout: 0 } }] }],
  ['a token service without an address', service({ issuer: undefined })],
  ['a client secret that is missing', service({ client_authentication: { method: 'client_secret_jwt' } })],
  [
    'a certificate without its key',
    service({ client_authentication: { method: 'tls_client_auth', certificate: 'c' } }),
  ],
  ['an actor of a file that is not named', service({ actor: { source: 'file' } })],
  ['a file that no actor is of', service({ actor: { source: 'none', path: '/token' } })],
  ['jwt without issuers', { authentication: { mode: 'jwt', audience: 'a' } }],
])('refuses %s, as the agent server does', (_, more) => {
  const config = JSON.parse(JSON.stringify({ ...FULL, ...more }));
  expect(readRuntimeConfig(config).problems).toBeDefined();
  expect(accepts(config)).toBe(false);
});

it('describes every field, in sentences', () => {
  expect(fields.length).toBeGreaterThan(90);
  const bare = fields.filter(({ schema: { description = '' } }) => !/^\S.*\.$/.test(description));
  expect(bare.map(({ path }) => path)).toEqual([]);
});

/** Whether the type of a field says all that can be given. */
const isPlain = ({ enum: values, type }: JsonSchema): boolean =>
  values !== undefined || [type].flat().includes('boolean');

it('has an example of each field whose type does not say all, and each is right', () => {
  const without = fields.filter(({ schema: field }) => field.examples === undefined && !isPlain(field));
  expect(without.map(({ path }) => path)).toEqual([]);
  const validator = new AjvJsonSchemaValidator();
  for (const { path, schema: field } of fields) {
    for (const example of field.examples ?? []) {
      const { errorMessage } = validator.getValidator(field as never)(example);
      expect([path, errorMessage]).toEqual([path, undefined]);
    }
  }
});

it('has examples of fields that are there only', () => {
  const paths = fields.map(({ path }) => path);
  expect(Object.keys(EXAMPLES).filter((path) => !paths.includes(path))).toEqual([]);
});

it('has the same fields for both lists of servers, which the page shows once', () => {
  const of = (list: string): readonly (readonly [string, JsonSchema])[] =>
    fields
      .filter(({ path }) => path.startsWith(`${list}[].`))
      .map(({ path, schema: field }) => [path.replace(list, ''), field]);
  expect(of('sse_tools')).toEqual(of('http_tools'));
});

it('is what the package has for editors: npm run configuration', () => {
  expect(readText(SCHEMA_FILE)).toBe(schemaText(schema));
  expect(schema.$schema).toBe('http://json-schema.org/draft-07/schema#');
});

it('is what the page tells of: npm run configuration', () => {
  expect(readText(PAGE_FILE)).toBe(configurationPage(fields));
});

/** JSON of the page, as it stands there. */
const BLOCKS = [...readText(PAGE_FILE).matchAll(/```json\n(.*?)```/gs)].map(([, block = '']) =>
  JSON.parse(block),
);

it('the page shows configs that are right, and a card', () => {
  expect(BLOCKS).toHaveLength(3);
  for (const config of BLOCKS.slice(0, 2)) {
    expect(readRuntimeConfig(config).problems).toBeUndefined();
    expect(accepts(config)).toBe(true);
  }
  expect(BLOCKS[2]).toEqual({ name: 'assistant', description: expect.any(String) });
});

import fc from 'fast-check';
import { agentTool, agentWith, data, type Given, mcp, model, namespace, server, service } from './objects.ts';

/** What every Secret of a world holds; it must show nowhere. */
export const PLANTED = 'planted.secret-value';

const NAMESPACES = ['one', 'two', 'three'] as const;
const place = (...names: readonly string[]): fc.Arbitrary<string> =>
  fc.tuple(fc.constantFrom(...NAMESPACES), fc.constantFrom(...names)).map((parts) => parts.join('/'));
const some = <T>(values: readonly T[], max: number): fc.Arbitrary<T[]> =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: max });
const maybe = { requiredKeys: [] };
/** Mostly the first: what follows is often wrong. */
const seldom = <T>(first: T, ...others: readonly T[]): fc.Arbitrary<T> =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(first) },
    { weight: 1, arbitrary: fc.constantFrom(first, ...others) },
  );

const AUDIENCES = ['calendar', 'mail', 'files', 'urn:example:files'];

const REFERENCES = NAMESPACES.flatMap((where) =>
  ['default', 'sts'].map((name) => ({ name, namespace: where })),
);
const tokenExchange = fc.record(
  {
    audiences: some(AUDIENCES, 2),
    resources: some(['https://mail.example.com/', 'urn:example:files'], 2),
    scopes: some(['read', 'write'], 2),
    requestedTokenType: fc.constant('urn:ietf:params:oauth:token-type:jwt'),
    profile: fc.constantFrom('rfc8693', 'entra-obo', 'id-jag'),
    tokenServiceRef: fc.constantFrom(undefined, undefined, ...REFERENCES),
  },
  maybe,
);
/** Targets as Agents and servers say them; mostly right. */
const target = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...AUDIENCES).map((stsAudience) => ({ stsAudience })) },
  { weight: 2, arbitrary: tokenExchange.map((value) => ({ tokenExchange: value })) },
  { weight: 2, arbitrary: fc.constant({}) },
);
const requirement = fc.oneof(
  fc.record({
    key: fc.constantFrom('team', 'stage'),
    operator: fc.constantFrom('In', 'NotIn'),
    values: some(['a', 'b'], 2),
  }),
  fc.record({ key: fc.constantFrom('team', 'stage'), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
);
const allowedNamespaces = fc.oneof(
  { weight: 30, arbitrary: fc.constant({ from: 'All' }) },
  { weight: 1, arbitrary: fc.constant({ from: 'Same' }) },
  {
    weight: 2,
    arbitrary: fc
      .record(
        {
          matchLabels: fc.constantFrom({}, { team: 'a' }),
          matchExpressions: fc.array(requirement, { maxLength: 2 }),
        },
        maybe,
      )
      .map((selector) => ({ from: 'Selector', selector })),
  },
);
const KEYS = { name: fc.constant('keys'), key: seldom('a', 'b', 'gone') };
const header = fc.oneof(
  fc.record({ name: fc.constantFrom('X-A', 'x-a', 'X-B'), value: fc.constantFrom('1', 'file:/x', `\${A}`) }),
  fc.record({
    name: fc.constantFrom('X-A', 'X-C'),
    valueFrom: fc.record({ type: fc.constantFrom('Secret', 'ConfigMap'), ...KEYS }),
  }),
);
const headersFrom = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.uniqueArray(header, { maxLength: 2, selector: ({ name }) => name.toLowerCase() }),
  },
  { weight: 1, arbitrary: fc.array(header, { maxLength: 2 }) },
);

const TOOLS = ['list', 'send', 'now'];
const aServer = fc
  .tuple(
    place('mail', 'files'),
    target,
    fc.record(
      {
        allowedNamespaces,
        headersFrom,
        protocol: fc.constantFrom('SSE', 'STREAMABLE_HTTP'),
        discovery: fc.constantFrom('auto', 'agent'),
        url: seldom('https://mail.example.com/mcp', 'http://localhost:1/mcp', 'http://mail.one.svc/mcp'),
        dangerouslyAllowInsecureHTTP: fc.constant(true),
      },
      { requiredKeys: ['allowedNamespaces'] },
    ),
    fc.constantFrom<object>({}, { status: { discoveredTools: TOOLS.map((name) => ({ name })) } }),
  )
  .map(([name, fields, spec, status]) => server(name, { ...fields, ...spec }, { ...status }));

const clientAuthentication = fc.oneof(
  fc.constant({ method: 'service_account' }),
  fc.constant({ method: 'none' }),
  fc.record({ method: fc.constant('client_secret_basic'), clientSecretRef: fc.record(KEYS) }),
  fc.record({ method: fc.constant('tls_client_auth'), certificateSecret: fc.constant('keys') }),
);
const aService = fc
  .tuple(
    place('default', 'sts'),
    fc.record(
      {
        allowedNamespaces,
        clientAuthentication,
        actor: fc.record({ source: fc.constantFrom('ServiceAccount', 'ClientCredentials', 'None') }),
        profile: fc.constantFrom('rfc8693', 'id-jag'),
        retention: fc.constantFrom('run', 'subject'),
      },
      { requiredKeys: ['allowedNamespaces'] },
    ),
  )
  .map(([name, spec]) => service(name, spec));

const aModel = fc
  .tuple(
    place('default-model-config'),
    fc.constantFrom<object>({}, { apiKeySecret: 'keys', apiKeySecretKey: 'a' }, { temperature: '0.5' }),
  )
  .map(([name, spec]) => model({ ...spec }, name));

const tool = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .tuple(
        place('mail', 'files'),
        target,
        fc.record({ toolNames: some(TOOLS, 3) }, maybe),
        fc.record({ headersFrom }, maybe),
      )
      .map(([name, fields, more, outer]) => mcp(name, { ...fields, ...more }, outer)),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(place('a', 'b', 'c'), target).map(([name, fields]) => agentTool(name, fields)),
  },
);
const anAgent = fc
  .tuple(
    place('a', 'b', 'c'),
    fc.array(tool, { maxLength: 3 }),
    target,
    fc.record(
      {
        allowedNamespaces,
        tokenServiceRef: seldom(undefined, ...REFERENCES),
        authentication: fc.record({ mode: fc.constantFrom('JWT', 'Anonymous', 'TrustedProxy') }),
        dangerouslyAllowInsecureHTTP: fc.constant(true),
        declarative: fc.record(
          {
            systemMessage: fc.constant('Be kind.'),
            deployment: fc.record({
              env: fc.constant([{ name: 'A', valueFrom: { secretKeyRef: { name: 'keys', key: 'a' } } }]),
            }),
          },
          maybe,
        ),
      },
      maybe,
    ),
  )
  .map(([name, tools, fields, spec]) => agentWith(tools, { ...fields, ...spec }, name));

const SECRET = { a: PLANTED, b: `${PLANTED}-too`, 'tls.crt': PLANTED, 'tls.key': PLANTED };
const aDataObject = place('keys').chain((name) =>
  fc.constantFrom(data('Secret', name, SECRET), data('ConfigMap', name, { a: 'text', b: 'more' })),
);
const aNamespace = fc
  .tuple(
    fc.constantFrom(...NAMESPACES),
    fc.constantFrom<Record<string, string>>({}, { team: 'a' }, { team: 'b', stage: 'a' }),
  )
  .map(([name, labels]) => namespace(name, labels));

/** Names an object among those of a world. */
export function idOf({ kind, metadata: { namespace: where = '', name } }: Given): string {
  return `${kind} ${where}/${name}`;
}

const objects = (arbitrary: fc.Arbitrary<Given>, maxLength: number, minLength = 0): fc.Arbitrary<Given[]> =>
  fc.uniqueArray(arbitrary, { selector: idOf, minLength, maxLength });

/** Objects over three namespaces, each valid by itself: references may lead nowhere, in circles, or not be permitted. */
export const world: fc.Arbitrary<readonly Given[]> = fc
  .tuple(
    objects(anAgent, 6, 2),
    // Nearly all that can be: what is referred to is mostly there.
    objects(aServer, 6, 6),
    objects(aService, 6, 6),
    objects(aModel, 3, 3),
    objects(aDataObject, 4),
    objects(aNamespace, 3),
  )
  .map((parts) => parts.flat());

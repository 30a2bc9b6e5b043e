import { readFile } from 'node:fs/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { KINDS, type Kind } from '../../../src/kubernetes/api/kinds.ts';
import { API_VERSION, GROUP, VERSION } from '../../../src/kubernetes/api/meta.ts';
import { customResourceDefinitions } from '../../../src/kubernetes/crd/custom-resource-definition.ts';
import { crdFile } from '../../../src/kubernetes/crd/yaml.ts';
import { specsOf } from '../../kubernetes/api/arbitrary.ts';
import { boundCases } from '../../kubernetes/api/bounds.ts';
import { crdRules, ruleOf } from '../../kubernetes/api/crd-rules.ts';
import { FIXTURES } from '../../kubernetes/api/fixtures.ts';
import { FULL } from '../../kubernetes/api/full.ts';
import { STATUSES } from '../../kubernetes/api/statuses.ts';
import { type Verdict, verdictOf } from '../../kubernetes/api/verdict.ts';
import { type ControlPlane, startControlPlane } from '../support/kube-control-plane.ts';
import { serverVerdict } from './server-verdict.ts';

const missing = inject('kube') === undefined;
const KIND_NAMES = Object.keys(KINDS) as Kind[];
/** So many requests at once. */
const LANES = 8;
const LONG_MS = 120_000;

describe.skipIf(missing)('the CRDs on a real API server', () => {
  let plane: ControlPlane;

  beforeAll(async () => {
    const files = customResourceDefinitions().map((crd) => `../../../deploy/crds/${crdFile(crd)}`);
    const crds = await Promise.all(files.map((file) => readFile(new URL(file, import.meta.url), 'utf8')));
    plane = await startControlPlane({ crds, controllers: [] });
  }, LONG_MS);
  afterAll(() => plane?.stop());

  const judge = (kind: Kind, spec: unknown): Promise<Verdict> => serverVerdict(plane.api, kind, spec);

  test.each(customResourceDefinitions())('$metadata.name is established and structural', async (crd) => {
    const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`;
    const { body } = await plane.api('GET', path);
    const conditions = body.status.conditions as readonly { type: string; status: string }[];
    // NonStructuralSchema would be a third.
    expect(conditions.map(({ type, status }) => `${type}=${status}`).sort()).toEqual([
      'Established=True',
      'NamesAccepted=True',
    ]);
    expect(body.spec).toMatchObject(crd.spec);
    expect(body.status.acceptedNames).toEqual(crd.spec.names);
  });

  test('kubectl applies them without a warning', async () => {
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: customResourceDefinitions() });
    const args = ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '-f', '-'];
    const { code, stderr } = await plane.kubectl(args, { input });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('each fixture is taken, or refused by the rule that it breaks; each rule is broken by one', async () => {
    const broken = new Set<string>();
    const wrong: unknown[] = [];
    await inLanes(FIXTURES, async ({ name, kind, spec, refused }) => {
      const { findings } = await judge(kind, spec);
      const expected = refused === undefined ? [] : [`rule ${refused.field}: ${refused.message}`];
      const told = summary(findings);
      if (told.join() !== expected.join()) wrong.push({ name: `${kind} ${name}`, expected, told });
      for (const finding of findings) broken.add(ruleOf(kind, finding));
    });
    expect(wrong).toEqual([]);
    expect(crdRules().filter((rule) => !broken.has(rule))).toEqual([]);
  });

  test('the defaults of what is taken are those of the Zod schema', async () => {
    await inLanes(
      FIXTURES.filter(({ refused }) => refused === undefined),
      async ({ name, kind, spec }) => {
        const { spec: stored } = await judge(kind, spec);
        expect(stored, `${kind} ${name}`).toEqual(verdictOf(kind, spec).spec);
      },
    );
  });

  test(
    'each bound of each field is the same on both sides',
    async () => {
      const wrong: unknown[] = [];
      // What stands at many places, as the header fields do, is asked for once.
      const cases = new Map(boundCases().map((one) => [one.change, one]));
      await inLanes([...cases.values()], async ({ name, kind, spec, field, taken }) => {
        const { findings } = await judge(kind, spec);
        const told = findings.some((finding) => finding.field === field && !finding.byRule);
        const agreed = (findings.length === 0) === (verdictOf(kind, spec).findings.length === 0);
        if (told === taken || !agreed) wrong.push({ name, taken, findings });
      });
      expect(wrong).toEqual([]);
    },
    LONG_MS,
  );

  test.each(KIND_NAMES)(
    'any %s gets the same verdict and the same defaults on both sides',
    async (kind) => {
      const property = fc.asyncProperty(specsOf(kind), async (spec) => {
        const [server, here] = [await judge(kind, spec), verdictOf(kind, spec)];
        expect(summary(server.findings)).toEqual(summary(here.findings));
        expect(server.spec).toEqual(here.spec);
      });
      await fc.assert(property, { numRuns: 150 });
    },
    LONG_MS,
  );

  describe('with an object of each kind', () => {
    const objects = KIND_NAMES.map((kind) => ({
      apiVersion: API_VERSION,
      kind,
      metadata: { name: 'one', namespace: 'default' },
      spec: FULL.find((one) => one.kind === kind)?.spec,
    }));
    const apply = (object: object, ...args: readonly string[]) =>
      plane.kubectl(['apply', '-f', '-', ...args], { input: JSON.stringify(object) });

    beforeAll(async () => {
      for (const object of objects) {
        const full = { ...object, status: STATUSES[object.kind] };
        expect(await apply(object)).toMatchObject({ code: 0, stderr: '' });
        const status = ['--server-side', '--subresource=status', '--force-conflicts'];
        expect(await apply(full, ...status)).toMatchObject({ code: 0, stderr: '' });
      }
    }, LONG_MS);

    test.each(KIND_NAMES)('the status of %s keeps each of its fields, apart from the spec', async (kind) => {
      const path = `/apis/${GROUP}/${VERSION}/namespaces/default/${KINDS[kind].plural}/one`;
      const { body } = await plane.api('GET', path);
      expect(body.status).toEqual(STATUSES[kind]);
      expect(KINDS[kind].status.parse(body.status)).toEqual(STATUSES[kind]);

      const { body: patched } = await plane.api('PATCH', path, {
        body: { status: { observedGeneration: 7 } },
      });
      expect(patched.status).toEqual(STATUSES[kind]);
      expect(patched.metadata.generation).toBe(1);
    });

    test.each([
      ['Agent', 'NAME TYPE ACCEPTED RESOLVEDREFS READY REASON AGE', 'one Declarative True True False'],
      ['ModelConfig', 'NAME PROVIDER MODEL READY REASON AGE', 'one GeminiVertexAI gemini-2.5-flash False'],
      [
        'RemoteMCPServer',
        'NAME URL AUDIENCE ACCEPTED READY REASON AGE',
        'one https://calendar.example.com/mcp True False',
      ],
      ['TokenService', 'NAME ISSUER ACCEPTED READY REASON AGE', 'one https://sts.example.com True False'],
    ] as const)('kubectl get shows what matters of %s', async (kind, header, row) => {
      const { plural, singular, shortNames } = KINDS[kind];
      for (const name of [plural, singular, ...shortNames]) {
        const { stdout } = await plane.kubectl(['get', name, '-n', 'default']);
        const [first = '', second = ''] = stdout.split('\n').map((line) => line.replace(/ +/g, ' ').trim());
        expect(first).toBe(header);
        expect(second.startsWith(row), second).toBe(true);
      }
    });

    test('kubectl get onbehalf shows all of them', async () => {
      const { stdout } = await plane.kubectl(['get', 'onbehalf', '-n', 'default', '-o', 'name']);
      const names = KIND_NAMES.map((kind) => `${KINDS[kind].singular}.${GROUP}/one`);
      expect(stdout.trim().split('\n').sort()).toEqual(names.sort());
    });

    test('kubectl apply refuses a field that is misspelt', async () => {
      const [agent] = objects;
      const { code, stderr } = await apply({ ...agent, spec: { ...agent?.spec, stsAudeince: 'one' } });
      expect(code).toBe(1);
      expect(stderr).toContain('unknown field "spec.stsAudeince"');
    });
  });

  describe('kubectl explain', () => {
    /** The API server publishes the schema a moment after the CRD is established. */
    const explained = async (...args: readonly string[]): Promise<string> => {
      const ask = () => plane.kubectl(['explain', ...args]);
      await expect.poll(async () => (await ask()).code, { timeout: 20_000 }).toBe(0);
      // As wide as the terminal; the width is not what is looked at.
      return (await ask()).stdout.replace(/\s+/g, ' ');
    };

    test('agent.spec says what each field is for, and its default', async () => {
      const text = await explained('agent.spec');
      expect(text).toContain('How the agent is run, which servers and other agents it may call');
      expect(text).toContain('enum: Declarative, BYO Declarative: run by the agent server.');
      expect(text).toContain('Default: Declarative.');
      expect(text).toContain('authentication <Object> How the agent knows who calls it. Default: by a token');
    });

    test('agent.spec --recursive shows the tree', async () => {
      const text = await explained('agent.spec', '--recursive');
      expect(text).toContain('tools <[]Object>');
      expect(text).toContain('stsAudience <string>');
    });

    test('the audience of a tool says whose it is in place of', async () => {
      const text = await explained('agent.spec.declarative.tools.mcpServer.stsAudience');
      expect(text).toContain('FIELD: stsAudience <string>');
      expect(text).toContain(
        "Audience of the tokens for this server when this agent calls it, in place of the server's own",
      );
    });

    test('no field lacks a description', async () => {
      await explained('agent');
      const { body } = await plane.api('GET', `/openapi/v3/apis/${GROUP}/${VERSION}`);
      const schemas = body.components.schemas as Readonly<Record<string, Schema>>;
      const mute = KIND_NAMES.flatMap((kind) =>
        undescribed(schemas[`dev.onbehalf.${VERSION}.${kind}`], kind),
      );
      expect(mute).toEqual([]);
    });
  });
});

interface Schema {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

function undescribed(schema: Schema | undefined, at: string): readonly string[] {
  if (schema === undefined) return [`${at} is not published`];
  const { properties = {}, items } = schema;
  return [
    ...Object.entries(properties)
      .filter(([name]) => `${at}.${name}` !== `${at.split('.')[0]}.metadata`)
      .flatMap(([name, inner]) => [
        ...(inner.description === undefined ? [`${at}.${name}`] : []),
        ...undescribed(inner, `${at}.${name}`),
      ]),
    ...(items === undefined ? [] : undescribed(items, `${at}[]`)),
  ];
}

/** What is comparable: both sides put the form of a field in words of their own. */
function summary(findings: Verdict['findings']): readonly string[] {
  const lines = findings.map(({ field, message, byRule }) => {
    return byRule ? `rule ${field}: ${message}` : `form ${field}`;
  });
  return [...new Set(lines)].sort();
}

async function inLanes<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const lane = async (): Promise<void> => {
    for (const item of rest) await work(item);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

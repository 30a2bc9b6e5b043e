import { describe, expect, it } from 'vitest';
import { agentFields } from '../../../src/kubernetes/kagent/agent-fields.ts';
import type { Fields } from '../../../src/kubernetes/kagent/fields.ts';
import { importKagent } from '../../../src/kubernetes/kagent/import.ts';
import { modelFields } from '../../../src/kubernetes/kagent/model-fields.ts';
import { mcpServerFields, remoteServerFields } from '../../../src/kubernetes/kagent/server-fields.ts';
import { readText } from '../../support/regions.ts';
import { EXAMPLES } from './field-examples.ts';
import { imported, type Json, kagent, service } from './objects.ts';

/** One row of the tables of the document. */
interface Row {
  readonly kind: string;
  /** Path of the field in kagent's object. */
  readonly field: string;
  /** Path of the field here, or `warned`, `refused` or `read`. */
  readonly here: string;
}

const ROWS = readText('docs/kagent.md')
  .split(/^### /m)
  .slice(1)
  .flatMap((section) => {
    const kind = /^\w+/.exec(section)?.[0] ?? '';
    return [...section.matchAll(/^\| `((?:spec|metadata)[^`]*)` \| (`?)([^`|]*)\2 \|/gm)].map(
      ([, field = '', , here = '']): Row => ({ kind, field, here: here.trim() }),
    );
  });

const PROVIDERS: Readonly<Record<string, Json>> = {
  openAI: { provider: 'OpenAI' },
  anthropic: { provider: 'Anthropic' },
  azureOpenAI: {
    provider: 'AzureOpenAI',
    azureOpenAI: { azureEndpoint: 'https://team.openai.azure.com', apiVersion: '2025-01-01' },
  },
  ollama: { provider: 'Ollama' },
  geminiVertexAI: {
    provider: 'GeminiVertexAI',
    geminiVertexAI: { projectID: 'team-a', location: 'us-central1' },
  },
  bedrock: { provider: 'Bedrock' },
};

/** An object that lacks the field but has all that the field needs. */
function baseFor({ kind, field }: Row): Json {
  if (kind === 'RemoteMCPServer') {
    return kagent(kind, 'search', { description: 'A server.', url: 'https://search.example.com/mcp' });
  }
  if (kind === 'MCPServer') return kagent(kind, 'search', { deployment: { port: 3000 } });
  if (kind === 'Service') {
    return service('search', { ports: [{ port: 80 }] }, { 'kagent.dev/mcp-service-path': '/mcp' });
  }
  if (kind === 'ModelConfig') {
    const key = /apiKeySecret(Key)?$/.test(field) ? { apiKeySecret: 'one', apiKeySecretKey: 'one' } : {};
    return kagent(kind, 'search', { model: 'model', ...key, ...PROVIDERS[field.split('.')[1] ?? ''] });
  }
  if (field.startsWith('spec.byo')) {
    return kagent(kind, 'search', { type: 'BYO', byo: { deployment: { image: 'own:1' } } });
  }
  const reference = field.includes('.agent.')
    ? { type: 'Agent', agent: { name: 'other' } }
    : { type: 'McpServer', mcpServer: { name: 'other', toolNames: ['drop'] } };
  const skill = { id: 'a', name: 'A', description: 'Does.' };
  const declarative = { tools: [reference], a2aConfig: { skills: [skill] } };
  return kagent(kind, 'search', { type: 'Declarative', declarative });
}

const stepsOf = (path: string): readonly string[] =>
  [...path.matchAll(/\["([^"]+)"\]|\[(\d*)\]|([^.[\]]+)/g)].map(
    ([, quoted, index, name]) => quoted ?? name ?? (index === '' ? '0' : (index ?? '')),
  );

function putAt(value: unknown, steps: readonly string[], instead: unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined) return instead;
  if (Array.isArray(value)) {
    return value.map((item, index) => (String(index) === step ? putAt(item, rest, instead) : item));
  }
  const members = (value ?? {}) as Json;
  return { ...members, [step]: putAt(members[step], rest, instead) };
}

const valueAt = (value: unknown, steps: readonly string[]): unknown =>
  steps.reduce<unknown>((inner, step) => (inner as Json | undefined)?.[step], value);

/** All fields of a table, as paths. */
const pathsOf = (fields: Fields, path: string): readonly string[] =>
  Object.entries(fields).flatMap(([name, fate]) => {
    if (fate.fate !== 'within') return [`${path}.${name}`];
    return pathsOf(fate.fields, `${path}.${name}${fate.as === 'list' ? '[]' : ''}`);
  });

describe('the tables of docs/kagent.md', () => {
  it('have a row for every field of the API that was looked at, and no other, each once', () => {
    for (const [kind, examples] of Object.entries(EXAMPLES)) {
      const fields = ROWS.filter((row) => row.kind === kind).map(({ field }) => field);
      expect(fields.toSorted()).toEqual(Object.keys(examples).toSorted());
    }
    expect(ROWS.length).toBeGreaterThan(140);
  });

  it('have a row for every field that the code knows', () => {
    const known: Readonly<Record<string, readonly string[]>> = {
      Agent: pathsOf(agentFields, 'spec')
        .map((path) => path.replace('spec.declarative.deployment.', 'spec.byo.deployment.'))
        .filter((path) => path !== 'spec.byo.deployment.imageRegistry' && !path.includes('.env[]')),
      RemoteMCPServer: pathsOf(remoteServerFields, 'spec'),
      MCPServer: pathsOf(mcpServerFields, 'spec'),
      ModelConfig: Object.values(PROVIDERS)
        .flatMap((spec) => pathsOf(modelFields(spec), 'spec'))
        .filter(
          (path) =>
            !/^spec\.(openAI|anthropic|azureOpenAI|ollama|gemini\w*|bedrock|anthropicVertexAI|sapAICore|foundry)$/.test(
              path,
            ),
        ),
    };
    for (const [kind, fields] of Object.entries(known)) {
      const rows = ROWS.filter((row) => row.kind === kind).map(({ field }) => field);
      expect(rows, kind).toEqual(expect.arrayContaining([...new Set(fields)]));
    }
  });

  it('say in words what the code says in words', () => {
    expect(
      [...new Set(ROWS.map(({ here }) => here).filter((here) => !here.startsWith('spec.')))].toSorted(),
    ).toEqual(['read', 'refused', 'warned']);
  });
});

describe.each(ROWS)('$kind $field', (row) => {
  const example = EXAMPLES[row.kind]?.[row.field];
  const base = baseFor(row);
  const field = row.field.replaceAll('[]', '[0]');
  const result = importKagent([putAt(base, stepsOf(row.field), example?.value)]);
  const paths = (found: readonly { readonly field: string }[]): readonly string[] =>
    found.map((one) => one.field);

  if (row.here === 'warned') {
    it('is warned of, and has no effect', () => {
      expect(paths(result.warnings)).toEqual([field]);
      expect(result.problems).toEqual([]);
      expect(pruned(result.objects)).toEqual(pruned(imported(base)));
    });
  } else if (row.here === 'refused') {
    it('is refused, with the object', () => {
      expect(paths(result.problems)).toEqual([field]);
      expect(result.objects).toEqual([]);
    });
  } else if (row.here === 'read') {
    it('is read, without a field of its own', () => {
      expect(result).toEqual({ objects: imported(base), problems: [], warnings: [] });
    });
  } else {
    it(`becomes ${row.here}`, () => {
      expect({ ...result, objects: [] }).toEqual({ objects: [], problems: [], warnings: [] });
      const wanted = example !== undefined && 'here' in example ? example.here : example?.value;
      expect(valueAt(result.objects[0], stepsOf(row.here))).toEqual(wanted);
      const without = imported(base)[0];
      if (!row.field.endsWith('.type')) expect(valueAt(without, stepsOf(row.here))).not.toEqual(wanted);
    });
  }
});

/** Without objects that hold nothing: what held only the field that was warned of. */
function pruned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pruned);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, inner]) => [name, pruned(inner)] as const);
  return Object.fromEntries(members.filter(([, inner]) => JSON.stringify(inner) !== '{}'));
}

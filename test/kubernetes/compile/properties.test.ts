import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readRuntimeConfig } from '../../../src/config/read-config.ts';
import { type Agent, agentStatus } from '../../../src/kubernetes/api/agent.ts';
import { compileAgent } from '../../../src/kubernetes/compile/compile-agent.ts';
import type { Compilation, LookUp } from '../../../src/kubernetes/compile/types.ts';
import { lookUpOf } from '../../../src/kubernetes/look-up.ts';
import type { Given } from './objects.ts';
import { idOf, PLANTED, world } from './worlds.ts';

const agentsOf = (objects: readonly Given[]): readonly Given[] =>
  objects.filter(({ kind }) => kind === 'Agent');
const compile = (agent: Given, lookUp: LookUp): Compilation =>
  compileAgent(agent as unknown as Agent, lookUp);
const all = (objects: readonly Given[]): readonly (readonly [Given, Compilation])[] => {
  const lookUp = lookUpOf(objects);
  return agentsOf(objects).map((agent) => [agent, compile(agent, lookUp)] as const);
};
interface Place {
  readonly namespace: string;
  readonly name: string;
}
interface Tool {
  readonly type: string;
  readonly mcpServer?: Record<string, unknown>;
  readonly agent?: Record<string, unknown>;
}
/** Runs enough for every branch of the worlds; a run compiles several Agents. */
const RUNS = { numRuns: 120 };

test('each Agent compiles, or has problems that each name an object, a field and what is wrong', () => {
  const count = { compiled: 0, problems: 0 };
  fc.assert(
    fc.property(world, (objects) => {
      for (const [, { compiled, problems }] of all(objects)) {
        if (compiled !== undefined) {
          count.compiled += 1;
          continue;
        }
        count.problems += 1;
        expect(problems.length).toBeGreaterThan(0);
        for (const { object, field, message } of problems) {
          expect([object.name, field, message].every((text) => text !== '')).toBe(true);
        }
        expect(new Set(problems.map((problem) => JSON.stringify(problem))).size).toBe(problems.length);
      }
    }),
    RUNS,
  );
  // The worlds are of use: both come often.
  expect(Math.min(count.compiled, count.problems)).toBeGreaterThan(30);
});

test('the config is what its own schema reads, and reading changes nothing', () => {
  fc.assert(
    fc.property(world, (objects) => {
      for (const [, { compiled }] of all(objects)) {
        if (compiled === undefined) continue;
        const { config } = compiled;
        const read = readRuntimeConfig(JSON.parse(JSON.stringify(config)));
        expect(read.problems).toBeUndefined();
        expect(JSON.stringify(read.config)).toBe(JSON.stringify(config));
      }
    }),
    RUNS,
  );
});

test('the targets are what the schema of the status takes, whole', () => {
  fc.assert(
    fc.property(world, (objects) => {
      for (const [, { compiled }] of all(objects)) {
        const targets = compiled?.targets ?? [];
        expect(agentStatus.parse({ targets }).targets).toEqual(targets);
      }
    }),
    RUNS,
  );
});

test('the order of the objects changes nothing', () => {
  const shuffled = world.chain((objects) =>
    fc.tuple(
      fc.constant(objects),
      fc.shuffledSubarray([...objects], { minLength: objects.length, maxLength: objects.length }),
    ),
  );
  fc.assert(
    fc.property(shuffled, ([objects, others]) => {
      for (const [agent, compilation] of all(objects)) {
        expect(JSON.stringify(compile(agent, lookUpOf(others)))).toBe(JSON.stringify(compilation));
      }
    }),
    RUNS,
  );
});

test('no value of a Secret shows in what comes of it', () => {
  fc.assert(
    fc.property(world, (objects) => {
      expect(JSON.stringify(all(objects).map(([, compilation]) => compilation))).not.toContain(PLANTED);
    }),
    RUNS,
  );
});

test('an object that is no dependency changes nothing, whatever becomes of it', () => {
  fc.assert(
    fc.property(world, fc.boolean(), (objects, remove) => {
      for (const [agent, compilation] of all(objects)) {
        const needed = new Set(
          compilation.dependencies.map(({ kind, namespace, name }) => `${kind} ${namespace}/${name}`),
        );
        const others = objects.flatMap((object) => {
          if (needed.has(idOf(object)) || object === agent) return [object];
          return remove
            ? []
            : [{ ...object, spec: null, data: {}, metadata: { ...object.metadata, labels: {} } }];
        });
        expect(JSON.stringify(compile(agent, lookUpOf(others)))).toBe(JSON.stringify(compilation));
      }
    }),
    RUNS,
  );
});

test('S9 what each tool is for is what a naive reading of tool and server gives', () => {
  const FIELDS = ['audiences', 'resources', 'scopes', 'requestedTokenType', 'profile'] as const;
  const said = (spec: Record<string, unknown> | undefined, field: string): unknown => {
    const { stsAudience, tokenExchange } = (spec ?? {}) as {
      stsAudience?: string;
      tokenExchange?: Record<string, unknown>;
    };
    return field === 'audiences' && stsAudience !== undefined ? [stsAudience] : tokenExchange?.[field];
  };
  let seen = 0;
  fc.assert(
    fc.property(world, (objects) => {
      const byId = new Map(objects.map((object) => [idOf(object), object]));
      for (const [agent, { compiled }] of all(objects)) {
        const { tools } = (agent.spec as { declarative: { tools: Tool[] } }).declarative;
        for (const [index, { type, mcpServer, agent: other }] of (compiled ? tools : []).entries()) {
          const reference: Record<string, unknown> = (type === 'Agent' ? other : mcpServer) ?? {};
          const kind = type === 'Agent' ? 'Agent' : 'RemoteMCPServer';
          const owner = byId.get(`${kind} ${reference.namespace}/${reference.name}`);
          const status = compiled?.targets[index];
          const value = (field: string): unknown =>
            said(reference, field) ?? said(owner?.spec as Record<string, unknown>, field);
          const none = FIELDS.slice(0, 3).every((field) => value(field) === undefined);
          for (const field of FIELDS) {
            if (field === 'profile' && status?.from?.profile === 'tokenService') continue;
            expect(status?.[field]).toEqual(none ? undefined : value(field));
          }
          seen += none ? 0 : 1;
        }
      }
    }),
    RUNS,
  );
  expect(seen).toBeGreaterThan(20);
});

interface Naming {
  readonly tokenServiceRef?: { readonly name: string; readonly namespace: string };
}
interface Spec extends Naming {
  readonly tokenExchange?: Naming;
  readonly declarative: { readonly tools: readonly Tool[] };
}

test('who makes the tokens is said by the tool, a server beside the Agent, the Agent, or nobody: in this order', () => {
  const nameOf = ({ tokenServiceRef: ref }: Naming = {}): string | undefined =>
    ref && `${ref.namespace}/${ref.name}`;
  const seen: Record<string, number> = { tool: 0, server: 0, agent: 0, default: 0, refused: 0 };
  fc.assert(
    fc.property(world, (objects) => {
      const byId = new Map(objects.map((object) => [idOf(object), object]));
      for (const [agent, { compiled, problems = [] }] of all(objects)) {
        const spec = agent.spec as Spec;
        const { namespace = '' } = agent.metadata;
        for (const [index, { type, mcpServer, agent: other }] of spec.declarative.tools.entries()) {
          const reference = (type === 'Agent' ? other : mcpServer) as unknown as Spec & Place;
          const kind = type === 'Agent' ? 'Agent' : 'RemoteMCPServer';
          const owner = byId.get(`${kind} ${reference.namespace}/${reference.name}`)?.spec as
            | Spec
            | undefined;
          const byTool = nameOf(reference.tokenExchange);
          const byServer = nameOf(owner?.tokenExchange);
          const isRefused =
            byTool === undefined && byServer !== undefined && reference.namespace !== namespace;
          const { tokenService, from } = compiled?.targets[index] ?? {};
          if (tokenService !== undefined) {
            expect(isRefused).toBe(false);
            expect(tokenService).toBe(byTool ?? byServer ?? nameOf(spec) ?? `${namespace}/default`);
            seen[from?.tokenService ?? ''] = (seen[from?.tokenService ?? ''] ?? 0) + 1;
          }
          if (isRefused && problems.some(({ field }) => field === 'spec.tokenExchange.tokenServiceRef')) {
            seen.refused = (seen.refused ?? 0) + 1;
          }
        }
      }
    }),
    // Of the agent's own word there are few.
    { numRuns: 600 },
  );
  // The worlds are of use: each comes.
  expect(Object.entries(seen).filter(([, times]) => times === 0)).toEqual([]);
});

test('the same tools in another order within a reference give the same config', () => {
  fc.assert(
    fc.property(world, (objects) => {
      for (const [agent, compilation] of all(objects)) {
        const text = JSON.stringify(agent, (key, value: unknown) =>
          key === 'toolNames' && Array.isArray(value) ? [...value].reverse() : value,
        );
        const { compiled } = compile(JSON.parse(text) as Given, lookUpOf(objects));
        expect(JSON.stringify(compiled)).toBe(JSON.stringify(compilation.compiled));
      }
    }),
    RUNS,
  );
});

/** Puts a value in place of something within an object. */
function broken(object: unknown, path: readonly number[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined || typeof object !== 'object' || object === null) return value;
  const entries = Object.entries(object);
  const [key, member] = entries[step % Math.max(entries.length, 1)] ?? ['x', undefined];
  const copy: object = Array.isArray(object) ? [...object] : { ...object };
  return Object.assign(copy, { [key]: broken(member, rest, value) });
}

test('nothing is thrown for objects that are broken anywhere below their kind and metadata', () => {
  const path = fc.array(fc.nat({ max: 11 }), { minLength: 1, maxLength: 7 });
  fc.assert(
    fc.property(
      world,
      fc.array(fc.tuple(fc.nat(), path, fc.jsonValue()), { maxLength: 3 }),
      (objects, breaks) => {
        const changed: Given[] = [...objects];
        for (const [which, where, value] of breaks) {
          const index = which % changed.length;
          const object = changed[index] as Given;
          changed[index] = {
            ...object,
            ...(broken({ spec: object.spec, status: {} }, where, value) as object),
          };
        }
        for (const [, { compiled, problems }] of all(changed))
          expect(compiled ?? problems?.length).toBeTruthy();
      },
    ),
    RUNS,
  );
});

test('nothing is thrown for any JSON that says it is an Agent, or stands where something else is looked for', () => {
  const json = fc.jsonValue({ maxDepth: 4 });
  fc.assert(
    fc.property(world, json, json, json, (objects, one, two, three) => {
      const foreign = { apiVersion: one, kind: two, metadata: three, spec: one } as unknown as Given;
      expect(compile(foreign, lookUpOf([])).problems?.length).toBeGreaterThan(0);
      const junk = lookUpOf(objects);
      const lookUp: LookUp = { ...junk, object: () => three as never };
      for (const agent of agentsOf(objects)) {
        const { compiled, problems } = compile(agent, lookUp);
        expect(compiled ?? problems?.length).toBeTruthy();
      }
    }),
    RUNS,
  );
});

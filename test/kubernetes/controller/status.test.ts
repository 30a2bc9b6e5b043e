import { describe, expect, test } from 'vitest';
import type { Condition } from '../../../src/kubernetes/api/meta.ts';
import type { Problem } from '../../../src/kubernetes/compile/types.ts';
import { type AgentFacts, agentStatus } from '../../../src/kubernetes/controller/agent-status.ts';
import { conditionsOf, findingsOfProblems } from '../../../src/kubernetes/controller/conditions.ts';
import { agentOf, compiledOf, deploymentOf } from './objects.ts';

const SELF = { kind: 'Agent', namespace: 'team', name: 'helper' } as const;
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

const problem = (more: Partial<Problem> = {}): Problem => ({
  object: SELF,
  field: 'spec.declarative.tools[0].mcpServer.name',
  reason: 'NotFound',
  message: 'there is no RemoteMCPServer team/mail',
  ...more,
});

const facts = (more: Partial<AgentFacts> = {}): AgentFacts => ({
  agent: agentOf(),
  problems: [],
  compiled: compiledOf(),
  obstacle: undefined,
  deployment: undefined,
  configHash: undefined,
  unready: [],
  now: NOW,
  ...more,
});

/** `STATUS REASON` by type. */
const shown = (more: Partial<AgentFacts>): Record<string, string> =>
  Object.fromEntries(
    (agentStatus(facts(more)).conditions ?? []).map(({ type, status, reason }) => [
      type,
      `${status} ${reason}`,
    ]),
  );

const readyOf = (more: Partial<AgentFacts>): Condition | undefined =>
  agentStatus(facts(more)).conditions?.find(({ type }) => type === 'Ready');

describe('conditions', () => {
  const findings = {
    ...findingsOfProblems([], SELF),
    Ready: { status: 'False', reason: 'Progressing', message: 'Soon.' } as const,
  };
  const context = { generation: 3, before: undefined, now: NOW };

  test('say when they became so, in whole seconds, and which generation they are about', () => {
    for (const condition of conditionsOf(findings, context)) {
      expect(condition).toMatchObject({ observedGeneration: 3, lastTransitionTime: '2026-01-02T03:04:05Z' });
    }
  });

  test('keep that time while the status is the same, whatever else has changed', () => {
    const old = '2025-01-01T00:00:00Z';
    const before: readonly Condition[] = [
      { type: 'Accepted', status: 'True', lastTransitionTime: old, reason: 'Other', message: 'Other.' },
      { type: 'Ready', status: 'True', lastTransitionTime: old, reason: 'Ready', message: '' },
    ];
    const times = conditionsOf(findings, { ...context, before }).map((one) => one.lastTransitionTime);
    expect(times).toEqual([old, '2026-01-02T03:04:05Z', '2026-01-02T03:04:05Z']);
  });

  test('hold no more text than the API server takes', () => {
    const Ready = { ...findings.Ready, message: 'x'.repeat(100_000) };
    const [condition] = conditionsOf({ ...findings, Ready }, context).slice(-1);
    expect(condition?.message.length).toBeLessThan(32_768);
  });
});

describe('problems', () => {
  test('of the object itself mean that it is not accepted', () => {
    const own = problem({ reason: 'Invalid', field: 'spec.type', message: 'must be BYO' });
    expect(findingsOfProblems([own], SELF)).toMatchObject({
      Accepted: {
        status: 'False',
        reason: 'Invalid',
        message: 'Agent team/helper, spec.type: must be BYO',
      },
      ResolvedRefs: { status: 'Unknown', reason: 'NotAccepted' },
    });
  });

  test('of what it refers to mean that references are not resolved', () => {
    const server = { kind: 'RemoteMCPServer', namespace: 'team', name: 'mail' } as const;
    for (const one of [problem(), problem({ object: server, reason: 'Invalid' })]) {
      expect(findingsOfProblems([one], SELF)).toMatchObject({
        Accepted: { status: 'True' },
        ResolvedRefs: { status: 'False', reason: one.reason },
      });
    }
  });

  test('are told each with its object and field, as far as a person reads', () => {
    const many = Array.from({ length: 12 }, (_, index) => problem({ field: `spec.x[${index}]` }));
    const lines = findingsOfProblems(many, SELF).ResolvedRefs.message.split('\n');
    expect(lines).toHaveLength(11);
    expect(lines[0]).toBe('Agent team/helper, spec.x[0]: there is no RemoteMCPServer team/mail');
    expect(lines.at(-1)).toBe('and 2 more');
  });
});

describe('the status of an agent', () => {
  test.each([
    ['no Deployment yet', undefined, 'False Progressing'],
    ['a Deployment that nobody has looked at', deploymentOf({}), 'False Progressing'],
    [
      'a Deployment of before',
      deploymentOf(
        { observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2 },
        { generation: 2 },
      ),
      'False Progressing',
    ],
    [
      'too few pods',
      deploymentOf({ observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 1 }),
      'False Progressing',
    ],
    [
      'pods with the config of before',
      deploymentOf({ observedGeneration: 1, replicas: 3, updatedReplicas: 2, availableReplicas: 3 }),
      'False Progressing',
    ],
    [
      'all pods',
      deploymentOf({ observedGeneration: 1, replicas: 2, updatedReplicas: 2, availableReplicas: 2 }),
      'True Ready',
    ],
    ['no pods, as is wanted', deploymentOf({ observedGeneration: 1 }, { replicas: 0 }), 'True Ready'],
    [
      'pods that do not come up',
      deploymentOf({
        observedGeneration: 1,
        conditions: [
          { type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'Too long.' },
        ],
      }),
      'False DeploymentFailed',
    ],
    [
      'pods that cannot be made',
      deploymentOf({
        observedGeneration: 1,
        conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'Quota.' }],
      }),
      'False DeploymentFailed',
    ],
  ])('with %s', (_, deployment, ready) => {
    expect(shown({ deployment })).toEqual({
      Accepted: 'True Accepted',
      ResolvedRefs: 'True ResolvedRefs',
      Ready: ready,
    });
  });

  test('with problems is not Ready, and says that pods of before run on', () => {
    const given = { problems: [problem()], compiled: undefined };
    expect(shown(given)).toEqual({
      Accepted: 'True Accepted',
      ResolvedRefs: 'False NotFound',
      Ready: 'False UnresolvedRefs',
    });
    expect(readyOf(given)?.message).toBe('See the condition ResolvedRefs.');
    expect(readyOf({ ...given, deployment: deploymentOf({}) })?.message).toContain('keep running');
  });

  test('with an obstacle tells it', () => {
    const obstacle = { status: 'False', reason: 'NameTaken', message: 'There is a Secret helper.' } as const;
    expect(readyOf({ obstacle })).toMatchObject(obstacle);
  });

  test('names what it refers to that is not ready, and is no worse for it', () => {
    const unready = [{ kind: 'RemoteMCPServer', namespace: 'team', name: 'mail' }] as const;
    const resolved = agentStatus(facts({ unready })).conditions?.find(({ type }) => type === 'ResolvedRefs');
    expect(resolved?.status).toBe('True');
    expect(resolved?.message).toContain('RemoteMCPServer team/mail');
  });

  test('has what the tokens are for, and the digest of the config that the pods have', () => {
    const targets = [{ server: 'team/mail', audiences: ['mail'] }];
    const status = agentStatus(facts({ compiled: compiledOf({ targets }), configHash: 'abc' }));
    expect(status).toMatchObject({ observedGeneration: 3, targets, configHash: 'abc' });
  });
});

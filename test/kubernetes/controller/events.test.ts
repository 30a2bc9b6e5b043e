import { describe, expect, test } from 'vitest';
import type { Condition } from '../../../src/kubernetes/api/meta.ts';
import { KubeError } from '../../../src/kubernetes/client/kube-error.ts';
import type { KubeObject } from '../../../src/kubernetes/client/types.ts';
import { createEventRecorder, transitionsOf } from '../../../src/kubernetes/controller/events.ts';
import { agentOf } from './objects.ts';

const condition = (type: string, status: 'True' | 'False', reason: string, message = 'Why.'): Condition => ({
  ...{ type, status, reason, message },
  lastTransitionTime: '2026-01-01T00:00:00Z',
});
const good = condition('Accepted', 'True', 'Accepted');
const bad = condition('Accepted', 'False', 'Invalid');

describe('transitions', () => {
  test('to a problem, to another problem, and away from one are told', () => {
    const warning = { type: 'Warning', reason: 'Invalid', note: 'Accepted: Why.' };
    expect(transitionsOf([], [bad])).toEqual([warning]);
    expect(transitionsOf([good], [bad])).toEqual([warning]);
    expect(transitionsOf([condition('Accepted', 'False', 'AgentCycle')], [bad])).toEqual([warning]);
    expect(transitionsOf([bad], [good])).toEqual([
      { type: 'Normal', reason: 'Accepted', note: 'Accepted: Why.' },
    ]);
  });

  test('that are none, and what every object goes through, are not', () => {
    const coming = condition('Ready', 'False', 'Progressing');
    const ready = condition('Ready', 'True', 'Ready');
    expect(transitionsOf([bad], [{ ...bad, message: 'Else.' }])).toEqual([]);
    expect(transitionsOf([], [good, coming])).toEqual([]);
    expect(transitionsOf([good, coming], [good, ready])).toEqual([]);
    expect(transitionsOf([ready], [coming])).toEqual([]);
  });
});

describe('the recorder', () => {
  const recorder = (create: (event: KubeObject) => Promise<KubeObject>) => {
    let now = Date.UTC(2026, 0, 1);
    const errors: unknown[] = [];
    const made = createEventRecorder({
      client: { create: (_resource, event) => create(event) },
      instance: 'pod-1',
      now: () => now,
      onError: (error) => void errors.push(error),
    });
    const signal = new AbortController().signal;
    return {
      errors,
      tell: (uid: string, message?: string, name = 'helper', namespace = 'team') =>
        made.transitions(
          agentOf({}, { uid, name, namespace }),
          [condition('Ready', 'False', 'NameTaken', message)],
          signal,
        ),
      pass: (ms: number) => {
        now += ms;
      },
    };
  };
  const recording = () => {
    const events: KubeObject[] = [];
    return {
      events,
      ...recorder(async (event) => {
        events.push(event);
        return event;
      }),
    };
  };

  test('makes an event that the API server takes, of the object and in its namespace', async () => {
    const { events, tell } = recording();
    await tell('1', 'x'.repeat(5_000), 'a'.repeat(253));
    const [event] = events;
    expect(event).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'onbehalf.dev/controller',
      reportingInstance: 'pod-1',
      reason: 'NameTaken',
      type: 'Warning',
      regarding: { kind: 'Agent', namespace: 'team', uid: '1' },
    });
    expect(String(event?.note)).toHaveLength(1_024);
    expect(event?.metadata.name.length).toBeLessThanOrEqual(253);
    expect(event?.metadata.namespace).toBe('team');
  });

  test('does not repeat itself within ten minutes', async () => {
    const { events, tell, pass } = recording();
    await tell('1');
    await tell('1');
    await tell('2');
    await tell('1', 'Else.');
    expect(events).toHaveLength(3);
    pass(600_000);
    await tell('1');
    expect(events).toHaveLength(4);
  });

  test('stops when there is too much to tell, and goes on slowly', async () => {
    const { events, tell, pass } = recording();
    for (let number = 0; number < 100; number++)
      await tell(`${number}`, 'Why.', 'helper', `team-${number % 10}`);
    expect(events).toHaveLength(50);
    pass(2_000);
    for (let number = 100; number < 110; number++)
      await tell(`${number}`, 'Why.', 'helper', `team-${number % 10}`);
    expect(events).toHaveLength(52);
  });

  test('tells of other namespaces, however much one of them has to tell', async () => {
    const { events, tell, pass } = recording();
    const of = (wanted: string): number =>
      events.filter(({ metadata }) => metadata.namespace === wanted).length;
    for (let second = 0; second < 600; second += 1) {
      pass(1_000);
      await tell(`a${second}`, 'Why.', 'a', 'evil');
      await tell(`b${second}`, 'Why.', 'b', 'evil');
      if (second % 20 === 0) await tell(`c${second}`, 'Why.', 'c', 'victim');
    }
    expect(of('victim')).toBe(30);
    expect(of('evil')).toBeGreaterThan(100);
    expect(of('evil')).toBeLessThan(150);
  });

  test('is not stopped by an event that is refused', async () => {
    const refused = new KubeError('no', { code: 403, reason: 'Forbidden' });
    const { errors, tell } = recorder(() => Promise.reject(refused));
    await tell('1');
    expect(errors).toEqual([refused]);
  });
});

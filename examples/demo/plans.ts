// The six runs: who asks for what, what the agent's model does, and what is promised.
import {
  answersAbout,
  audiencesAt,
  callsAt,
  deniedError,
  distinct,
  errorsIn,
  exchanged,
  type Promised,
  toolCalls,
} from './promises.ts';
import type { ScriptedCall, Step } from './scripted-model.ts';
import type { World } from './world.ts';

export interface RunPlan {
  name: string;
  /** What happens, in plain words. */
  story: string;
  users: readonly string[];
  agent: keyof World['agents'];
  /** What each user says to the agent; it also names the script. */
  message: string;
  script: readonly Step[];
  prepare?: (world: World) => void;
  /** On top of what is promised of every run. */
  promises: readonly Promised[];
}

const call = (name: string, args: Record<string, unknown> = {}): readonly ScriptedCall[] => [{ name, args }];

export const PLANS: readonly RunPlan[] = [
  {
    name: 'memory-only',
    story: 'Alice asks something the agent can look up in its own memory. No MCP server is needed.',
    users: ['alice'],
    agent: 'assistant',
    message: 'What do you remember about me?',
    script: [call('load_memory', { query: 'preferences' }), 'Nothing yet.'],
    promises: [
      { text: 'no token was exchanged', expected: 0, find: ({ report }) => report.exchanges },
      {
        text: 'no request to any server carried a token (tool lists are asked for without one)',
        expected: [],
        find: ({ report }) =>
          report.requests.filter(({ sub }) => sub !== undefined).map(({ server }) => server),
      },
      {
        text: 'the memory tool ran',
        expected: ['load_memory'],
        find: ({ answers }) => answers.map(({ tool }) => tool),
      },
    ],
  },
  {
    name: 'two-servers',
    story: 'Alice asks for four things, two from her calendar and two from her mail.',
    users: ['alice'],
    agent: 'assistant',
    message: 'Plan my day.',
    script: [
      call('list_events'),
      call('search_mail'),
      call('add_event'),
      call('send_mail'),
      'Your day is planned.',
    ],
    promises: [
      {
        text: 'four calls reached two servers and were answered',
        expected: ['calendar 200', 'mail 200', 'calendar 200', 'mail 200'],
        find: callsAt,
      },
      {
        text: 'two tokens were exchanged, one for each server, and used twice',
        expected: ['alice calendar issued', 'alice mail issued'],
        find: exchanged,
      },
      {
        text: 'the calendar saw only the audience calendar',
        expected: ['calendar'],
        find: audiencesAt('calendar'),
      },
      { text: 'the mail server saw only the audience mail', expected: ['mail'], find: audiencesAt('mail') },
      {
        text: 'every call was made as alice',
        expected: ['alice'],
        find: (seen) => distinct(toolCalls(seen).map(({ sub }) => `${sub}`)),
      },
    ],
  },
  {
    name: 'shared-session',
    story: 'Alice and Bob use the same chat session at the same moment; each call waits for the other one.',
    users: ['alice', 'bob'],
    agent: 'assistant',
    message: 'What is new?',
    script: [call('list_events'), call('search_mail'), 'That is all.'],
    prepare: ({ meetingPoint }) => meetingPoint.expect(2),
    promises: [
      {
        text: 'the calls interleaved: both at the calendar, then both at the mail server',
        expected: ['calendar 200', 'calendar 200', 'mail 200', 'mail 200'],
        find: callsAt,
      },
      {
        text: 'the calendar saw one call of each',
        expected: ['alice', 'bob'],
        find: (seen) =>
          toolCalls(seen, 'calendar')
            .map(({ sub }) => sub)
            .toSorted(),
      },
      {
        text: 'the mail server saw one call of each',
        expected: ['alice', 'bob'],
        find: (seen) =>
          toolCalls(seen, 'mail')
            .map(({ sub }) => sub)
            .toSorted(),
      },
      {
        text: 'each got answers about themselves',
        expected: { alice: 2, bob: 2 },
        find: ({ answers }) => ({ alice: answersAbout('alice', answers), bob: answersAbout('bob', answers) }),
      },
      {
        text: 'four tokens were exchanged, one for each user and server',
        expected: ['alice calendar issued', 'alice mail issued', 'bob calendar issued', 'bob mail issued'],
        find: exchanged,
      },
    ],
  },
  {
    name: 'denied',
    story: 'The third server is declared with an audience that the STS does not let this agent have.',
    users: ['alice'],
    agent: 'assistant',
    message: 'Find the report and tell the team.',
    script: [
      call('list_events'),
      call('search_mail'),
      call('find_file'),
      call('send_mail'),
      'I could not open files.',
    ],
    promises: [
      {
        text: 'the STS issued two tokens and refused the third',
        expected: ['alice calendar issued', 'alice files invalid_target', 'alice mail issued'],
        find: exchanged,
      },
      {
        text: 'the files server got no request at all',
        expected: [],
        find: ({ report }) =>
          report.requests.filter(({ server }) => server === 'files').map(({ method }) => method),
      },
      {
        text: 'the model was told why, in a form it can read',
        expected: { code: 'sts_error', failure: 'denied', server: 'files', retryable: false },
        find: deniedError,
      },
      {
        text: 'the run went on: the other calls were answered, the last one after the refusal',
        expected: ['calendar 200', 'mail 200', 'mail 200'],
        find: callsAt,
      },
    ],
  },
  {
    name: 'revoked',
    story: 'The calendar refuses a good token once, as if it had been revoked.',
    users: ['alice'],
    agent: 'assistant',
    message: 'Move my meeting.',
    script: [call('list_events'), call('add_event'), 'Moved.'],
    prepare: ({ servers }) => servers.calendar.rejectNext(1),
    promises: [
      {
        text: 'the calendar answered 401 once, then 200 to the replay and to the next call',
        expected: ['list_events 401', 'list_events 200', 'add_event 200'],
        find: (seen) => toolCalls(seen, 'calendar').map(({ tool, status }) => `${tool} ${status}`),
      },
      {
        text: 'one more token was exchanged, and no other',
        expected: ['alice calendar issued', 'alice calendar issued'],
        find: exchanged,
      },
      { text: 'the model never noticed', expected: [], find: errorsIn },
    ],
  },
  {
    name: 'override',
    story: 'A second agent has an audience of its own for the files server; it wins over the declared one.',
    users: ['alice'],
    agent: 'assistant-eu',
    message: 'Find the report.',
    script: [call('find_file'), 'Here it is.'],
    promises: [
      {
        text: 'a token was asked for the overriding audience only',
        expected: ['alice files-eu issued'],
        find: exchanged,
      },
      {
        text: 'the files server saw only the audience files-eu',
        expected: ['files-eu'],
        find: audiencesAt('files'),
      },
      { text: 'the call was answered', expected: ['files 200'], find: callsAt },
    ],
  },
];

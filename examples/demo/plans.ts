// The six runs: who asks for what, what the agent's model does, and what is promised.

import type { AgentName } from './agents.ts';
import {
  answersAbout,
  audiencesAt,
  callsAt,
  deniedError,
  distinct,
  errorsIn,
  exchanged,
  type Promised,
  remembered,
  toolCalls,
} from './promises.ts';
import type { World } from './world.ts';

/** One answer of the scripted model, as the config has it: a text, or calls of tools. */
export type Turn = { text: string } | { calls: readonly { name: string; args: Record<string, unknown> }[] };

export interface RunPlan {
  name: string;
  /** What happens, in plain words. */
  story: string;
  users: readonly string[];
  agent: AgentName;
  /** What each user says to the agent, in a conversation of their own; it also names the script. */
  message: string;
  script: readonly Turn[];
  prepare?: (world: World) => void;
  /** Who then sends a message into the conversation of the first user. */
  intruder?: string;
  /** On top of what is promised of every run. */
  promises: readonly Promised[];
}

const call = (name: string, args: Record<string, unknown> = {}): Turn => ({ calls: [{ name, args }] });
const say = (text: string): Turn => ({ text });

export const PLANS: readonly RunPlan[] = [
  {
    name: 'memory-only',
    story: 'Alice tells the agent something to keep in its own memory. No MCP server is needed.',
    users: ['alice'],
    agent: 'assistant',
    message: 'Keep my mornings free.',
    script: [
      call('save_memory', { content: 'Mornings are to be kept free.' }),
      call('load_memory', { query: 'mornings' }),
      say('I will.'),
    ],
    promises: [
      { text: 'no token was exchanged', expected: 0, find: ({ report }) => report.exchanges },
      {
        text: 'no request to any server carried a token (tool lists are asked for without one)',
        expected: [],
        find: ({ report }) =>
          report.requests.filter(({ sub }) => sub !== undefined).map(({ server }) => server),
      },
      {
        text: 'the memory tools ran, and what was kept was found',
        expected: ['save_memory', 'load_memory: Mornings are to be kept free'],
        find: ({ answers }) => answers.map(remembered),
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
      say('Your day is planned.'),
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
    name: 'two-users',
    story:
      'Alice and Bob ask at the same moment; each call waits for the other one. Then Bob tries her chat.',
    users: ['alice', 'bob'],
    agent: 'assistant',
    message: 'What is new?',
    script: [call('list_events'), call('search_mail'), say('That is all.')],
    prepare: ({ meetingPoint }) => meetingPoint.expect(2),
    intruder: 'bob',
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
        text: 'Bob was refused in the conversation of Alice, and learned nothing of it',
        expected: ['bob: contextId: this context is not yours; leave it out to begin a new one'],
        find: ({ refusals }) => refusals,
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
      say('I could not open files.'),
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
    script: [call('list_events'), call('add_event'), say('Moved.')],
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
    story: 'A second agent, from a config file that asks for another audience at the files server.',
    users: ['alice'],
    agent: 'assistant-eu',
    message: 'Find the report.',
    script: [call('find_file'), say('Here it is.')],
    promises: [
      {
        text: 'a token was asked for that audience only',
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

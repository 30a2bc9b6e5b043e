import { expect, test } from 'vitest';
import { agentWith, BASE, compiled } from './objects.ts';

test('the card has what A2A needs, and says that a bearer token is needed', () => {
  expect(compiled(agentWith([], { description: 'Helps.' })).card).toEqual({
    protocolVersion: '0.3.0',
    name: 'assistant',
    description: 'Helps.',
    url: 'http://assistant.demo.svc:8080',
    preferredTransport: 'JSONRPC',
    version: '1.0.0',
    capabilities: { streaming: true, pushNotifications: false, stateTransitionHistory: false },
    defaultInputModes: ['text'],
    defaultOutputModes: ['text'],
    skills: [],
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    security: [{ bearer: [] }],
  });
});

test('skills are those of the Agent', () => {
  const skills = [
    { id: 'plan', name: 'Plan', description: 'Plans a day.', tags: ['calendar'], examples: ['Plan monday'] },
    { id: 'sum', name: 'Sum', description: 'Adds.' },
  ];
  const { card } = compiled(agentWith([], { declarative: { a2aConfig: { skills } } }));
  expect(card.skills).toEqual([skills[0], { ...skills[1], tags: [] }]);
});

test('a card of an agent that knows no callers asks for no token', () => {
  const { card } = compiled(agentWith([], { authentication: { mode: 'Anonymous' } }), BASE);
  expect(card).not.toHaveProperty('security');
  expect(card).not.toHaveProperty('securitySchemes');
});

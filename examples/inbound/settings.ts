import type { Broker } from 'onbehalf';

export interface Settings {
  broker: Broker;
  /** Who issues the users' tokens, and where its keys are. */
  issuer: string;
  jwksUri: string;
  /** The agent: answers bit by bit. */
  ask(question: string): AsyncIterable<string>;
}

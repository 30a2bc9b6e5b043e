import { makeRoom } from '../core/bounded.ts';

/** Where a conversation with another agent stands. */
export interface Conversation {
  /** What the other agent calls it. */
  readonly contextId: string;
  /** The task that waits for the next message. */
  readonly taskId?: string;
}

/** Whose conversation, and with whom. */
export interface ConversationKey {
  /** The user, as `Caller.userName`. */
  readonly owner: string;
  readonly sessionId: string;
  /** The other agent's name. */
  readonly agent: string;
}

/** Conversations with other agents: one for each user, session and agent, so that no two users are in one. */
export interface Conversations {
  get(key: ConversationKey): Conversation | undefined;
  /** Keeps where it stands; `undefined`: the next message begins another. */
  set(key: ConversationKey, conversation: Conversation | undefined): void;
  /** Forgets those of a user's session. */
  drop(sessionId: string, owner: string): void;
}

/** @param maxSessions - most sessions that are remembered; the one that was least recently spoken in goes first */
export function createConversations(maxSessions: number): Conversations {
  const sessions = new Map<string, Map<string, Conversation>>();
  // Not joined by a character, which either may hold.
  const idOf = (sessionId: string, owner: string): string => JSON.stringify([owner, sessionId]);
  return {
    get: ({ sessionId, owner, agent }) => sessions.get(idOf(sessionId, owner))?.get(agent),
    set({ sessionId, owner, agent }, conversation) {
      const id = idOf(sessionId, owner);
      const own = sessions.get(id) ?? new Map<string, Conversation>();
      sessions.delete(id);
      if (conversation) own.set(agent, conversation);
      else own.delete(agent);
      if (own.size === 0) return;
      makeRoom(sessions, maxSessions);
      sessions.set(id, own);
    },
    drop(sessionId, owner) {
      sessions.delete(idOf(sessionId, owner));
    },
  };
}

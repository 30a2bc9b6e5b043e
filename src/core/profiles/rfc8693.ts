import { targetForm } from '../target.ts';
import { TOKEN_EXCHANGE_GRANT } from '../token-types.ts';
import type { Profile } from './profile.ts';

/** Token exchange, RFC 8693 section 2.1. Repeated parameters keep the order of the target. */
export const rfc8693: Profile = {
  grantType: TOKEN_EXCHANGE_GRANT,
  form({ subject, actor, target }) {
    const body = targetForm(target);
    if (target.requestedTokenType !== undefined) body.set('requested_token_type', target.requestedTokenType);
    body.set('subject_token', subject.token);
    body.set('subject_token_type', subject.type);
    if (actor) {
      body.set('actor_token', actor.token);
      body.set('actor_token_type', actor.type);
    }
    return body;
  },
};

import type { IsolationCounts } from './counts.ts';

/** What is wrong, in words; nothing where all is well. */
export function judge(counts: IsolationCounts): string[] {
  const { stolen, exchanges, unexpected, sessionsLeft } = counts;
  const { tooMany } = exchanges;
  const faults: readonly (readonly [number, string])[] = [
    [counts.wrongIdentity, 'calls under another identity'],
    [counts.inOthersSession, 'requests in the session of another'],
    [counts.callsWithoutToken, 'calls without a token'],
    [counts.foreignTokens, 'requests with a token that is not for the server'],
    [counts.sentForDenied, 'calls sent for the denied user'],
    [counts.sentAfterExpiry, 'calls sent after the subject token had expired'],
    [stolen.withCredential, 'requests with a credential at the thief'],
    [tooMany.count, `users with too many exchanges, such as: ${tooMany.some.join('; ')}`],
    [counts.executedTwice, 'calls carried out twice'],
    [sessionsLeft.count, `sessions left open, such as one ${sessionsLeft.some.join('; ')}`],
    [unexpected.count, `calls that ended as they should not, such as: ${unexpected.some.join('; ')}`],
    // Where nothing works, nothing is mixed up.
    [counts.ok === 0 ? 1 : 0, 'client that never got an answer'],
  ];
  return faults.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`);
}

/** The counts in one line. */
export function lineOf(counts: IsolationCounts): string {
  const { stolen, exchanges, mishaps } = counts;
  const kinds = Object.entries(mishaps).map(([kind, number]) => `${number} ${kind}`);
  return [
    `${counts.client}: seed ${counts.seed}, ${counts.users} users, ${counts.calls} calls in ${counts.ms} ms`,
    `ok ${counts.ok}, failed as expected ${counts.failedAsExpected}, otherwise ${counts.unexpected.count}`,
    `wrong identity ${counts.wrongIdentity}, in another's session ${counts.inOthersSession}`,
    `without token ${counts.callsWithoutToken}, foreign tokens ${counts.foreignTokens}`,
    `sent for denied ${counts.sentForDenied}, after expiry ${counts.sentAfterExpiry}`,
    `thief ${stolen.requests} (${stolen.withCredential} with a credential)`,
    `exchanges ${exchanges.made} of ${exchanges.allowed} allowed`,
    `executed twice ${counts.executedTwice}, sessions left ${counts.sessionsLeft.count}`,
    `mishaps: ${kinds.join(', ')}`,
  ].join('; ');
}

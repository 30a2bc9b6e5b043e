// Who and what there is in the demo.

/** The agents' client id at the STS; in issued tokens it is the `sub` of `act`. Users' tokens for the agents have it as audience. */
export const AGENT = 'assistant';
export const SERVERS = ['calendar', 'mail', 'files'] as const;
export type ServerName = (typeof SERVERS)[number];

/** The audience each server accepts. The files server's is not the one that the first agent asks for. */
export const AUDIENCE: Record<ServerName, string> = { calendar: 'calendar', mail: 'mail', files: 'files-eu' };

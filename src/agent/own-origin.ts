import { isIP } from 'node:net';
import type { Refusal } from '../context/inbound-refusal.ts';
import type { Door } from './door.ts';

const FOREIGN: Refusal = {
  status: 403,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ error: 'a web page of another origin cannot use an agent without a sign-in' }),
};

/**
 * For an agent that lets everybody in: not the web pages that its users look at. A page of another origin is known by `Origin`; one
 * whose name was made to point here (DNS rebinding) by a `Host` that is no loopback name, where the agent listens on loopback; elsewhere
 * by an `Origin` that is neither an address nor that of the card.
 */
export function ownOriginOnly(door: Door, url: string, cardUrl: string): Door {
  const isLocal = isLoopback(new URL(url).hostname);
  return async (request) => {
    const { host = '', origin } = request.headers;
    const name = hostnameOf(`http://${host}`);
    const from = origin === undefined ? undefined : hostOf(origin);
    const isOwn = from === host.toLowerCase() && (from === hostOf(cardUrl) || isAddress(name));
    const isForeign = from !== undefined && !isOwn;
    return isForeign || (isLocal && !isLoopback(name)) ? FOREIGN : door(request);
  };
}

function isLoopback(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || (isIP(name) === 4 && name.startsWith('127.'));
}

/** No name that anybody else has a say in. */
const isAddress = (name: string): boolean => isLoopback(name) || isIP(name.replace(/^\[|\]$/g, '')) !== 0;

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).host : '');
const hostnameOf = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : '');

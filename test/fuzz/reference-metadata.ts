import { type Answer, createNotes, type Judgement, type Notes } from './reference.ts';
import { readBody } from './reference-answer.ts';

/** What was configured of an STS whose token endpoint is discovered. */
export interface Configured {
  /** Issuer identifier; `undefined` when only the URL of the metadata is known. */
  readonly issuer: string | undefined;
  /** Whose host the metadata comes from. */
  readonly source: string;
  /** The only host that tokens go to, in place of the source's. */
  readonly host: string | undefined;
  /** Whether tokens may go in clear text to hosts that are not this machine. */
  readonly insecure: boolean;
}

/** RFC 8414 sections 3.2 and 3.3, and the design: the subject token goes only to the STS that was configured. */
export function judgeMetadata(answer: Answer, configured: Configured): Judgement {
  const notes = createNotes();
  const document = readBody(answer, notes);
  if (document === undefined) return notes.judgement();
  judgeIssuer(document.issuer, configured, notes);
  judgeEndpoint(document.token_endpoint, configured, notes);
  return notes.judgement();
}

function judgeIssuer(named: unknown, { issuer, source }: Configured, notes: Notes): void {
  const url = typeof named === 'string' ? urlOf(named) : undefined;
  if (url === undefined) notes.refuse('issuer is no URL');
  else if (issuer === undefined) {
    // Otherwise a document could have assertions made for another server.
    const isItsOwn = wellKnown(url).includes(new URL(source).href);
    const { username, password, search, hash } = url;
    if (!isItsOwn || username + password + search + hash !== '')
      notes.refuse('issuer whose metadata is elsewhere');
    if (url.href.replace(/\/$/, '') !== named || url.protocol !== 'https:')
      notes.tolerate('issuer is spelt oddly');
  } else if (url.href !== new URL(issuer).href) notes.refuse('issuer');
  else if (named !== issuer) notes.tolerate('issuer is spelt otherwise');
}

/** Where metadata is looked for, in order: OpenID Connect Discovery 1.0 section 4, RFC 8414 section 3.1. */
export function wellKnown({ origin, pathname }: URL): readonly string[] {
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
}

/** Not by URL.canParse: in Node 20 that says no to some hosts outside of ASCII which URL itself takes. */
function urlOf(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function judgeEndpoint(named: unknown, configured: Configured, notes: Notes): void {
  const url = typeof named === 'string' ? urlOf(named) : undefined;
  // RFC 6749 section 3.2 forbids a fragment; it is never sent.
  if (url?.href !== named || url?.hash !== '') notes.tolerate('token_endpoint is spelt oddly');
  if (url === undefined || !mayReceive(url, configured)) notes.refuse('token_endpoint');
}

/** Whether a token may go to a URL, but for the host that is put in its place. */
function mayReceive(url: URL, { source, host, insecure }: Configured): boolean {
  if (url.username !== '' || url.password !== '' || !/^https?:$/.test(url.protocol)) return false;
  const from = new URL(source);
  const { hostname } = host === undefined ? url : new URL(`${url.protocol}//${host}`);
  if (url.protocol === 'http:' && !insecure && !isThisMachine(hostname)) return false;
  if (host !== undefined) return true;
  if (url.hostname !== from.hostname) return false;
  if (url.protocol === from.protocol) return portOf(url) === portOf(from);
  // From clear text to TLS nothing is lost; the other way round it is not what was configured.
  return url.protocol === 'https:' && (portOf(url) === portOf(from) || url.port + from.port === '');
}

/** RFC 8252 section 7.3; of a host as a URL writes it. A name below `localhost` may be asked of DNS. */
const isThisMachine = (hostname: string): boolean =>
  hostname === '[::1]' || /^127(\.[0-9]+){3}$/.test(hostname) || hostname === 'localhost';

const portOf = ({ port, protocol }: URL): string => port || (protocol === 'https:' ? '443' : '80');

/** @throws Error when a request that holds a token went where none may go */
export function assertDestination(sent: string, configured: Configured): void {
  const url = new URL(sent);
  const expected = new URL(
    configured.host === undefined ? configured.source : `${url.protocol}//${configured.host}`,
  );
  if (url.hostname !== expected.hostname) throw new Error(`a token went to the host ${url.hostname}`);
  if (!mayReceive(url, configured)) throw new Error(`a token went to ${sent}`);
  if (configured.host !== undefined && portOf(url) !== portOf(expected))
    throw new Error(`a token went to ${sent}`);
}

import fc from 'fast-check';
import { exchangeRequest } from '../../src/core/exchange.ts';
import { resolveTarget } from '../../src/core/target.ts';
import { createTokenService } from '../../src/core/token-service.ts';
import type { TokenServiceOptions } from '../../src/core/token-service-options.ts';
import { securityToken } from '../../src/core/token-types.ts';
import { answerOf, RIGHT, responseOf } from './answers.ts';
import { type Discovery, type DocumentBend, discovery, documentOf } from './documents.ts';
import { settled } from './leaks.ts';
import { refused } from './outcome.ts';
import { type Outcome, type Property, property } from './property.ts';
import type { Answer } from './reference.ts';
import { assertDestination, judgeMetadata, wellKnown } from './reference-metadata.ts';
import { hostLike } from './urls.ts';
import { CLIENT_ID, type Party, SUBJECTS } from './world.ts';

const { token: SUBJECT_TOKEN } = SUBJECTS[0] as Party;

/** A request as it was sent. */
interface Sent {
  readonly url: string;
  readonly hasToken: boolean;
}

/** Sends the subject token to an STS; what it answers is not looked at. */
async function exchangeAt(
  options: Partial<TokenServiceOptions>,
  documents: (url: string) => Answer,
): Promise<{ readonly sent: readonly Sent[]; readonly outcome: Awaited<ReturnType<typeof settled>> }> {
  const sent: Sent[] = [];
  const wrong: string[] = [];
  const outcome = await settled(() => {
    const service = createTokenService({
      ...{ clientId: CLIENT_ID, retry: { attempts: 1 } },
      ...options,
      async fetch(url, init) {
        const shown = `${url} ${init.body ?? ''} ${JSON.stringify([...new Headers(init.headers)])}`;
        const hasToken = shown.includes(SUBJECT_TOKEN);
        sent.push({ url, hasToken });
        if (init.redirect !== 'manual') wrong.push('it follows redirects');
        if (hasToken !== (init.method === 'POST')) wrong.push('the token is in another request');
        return responseOf(hasToken ? answerOf('{}', RIGHT) : documents(url));
      },
    });
    const subject = securityToken(SUBJECT_TOKEN);
    return exchangeRequest(service, { subject, target: resolveTarget('calendar') });
  }, [SUBJECT_TOKEN]);
  if (wrong.length > 0) throw new Error(wrong.join(', '));
  return { sent, outcome };
}

async function checkDiscovery(given: Discovery): Promise<Outcome> {
  const { configured, issuer, metadataUrl, documents } = given;
  const places = metadataUrl === undefined ? wellKnown(new URL(issuer)) : [metadataUrl];
  let found: Answer | undefined;
  const { sent, outcome } = await exchangeAt(
    {
      ...{ issuer: configured.issuer, metadataUrl, host: configured.host },
      dangerouslyAllowInsecureHttp: configured.insecure,
    },
    (url) => {
      found = documentOf(documents[places.indexOf(url)] as DocumentBend, issuer);
      return found;
    },
  );
  const looked = sent.filter(({ hasToken }) => !hasToken).map(({ url }) => url);
  if (looked.join() !== places.slice(0, looked.length).join()) throw new Error(`it looked at ${looked}`);
  const told = sent.filter(({ hasToken }) => hasToken);
  for (const { url } of told) assertDestination(url, configured);
  if (found === undefined) throw new Error('it looked nowhere');
  const judgement = judgeMetadata(found, configured);
  if ('error' in outcome) return refused(judgement, outcome.error.message);
  if (judgement.verdict === 'refused')
    throw new Error(`found, although the reference refuses it: ${judgement.why}`);
  return told.length === 1 ? 'found' : 'nothing sent';
}

/** A configured host is taken as it is written, whole, or not at all. */
async function checkHost({ host, tokenEndpoint }: { host: string; tokenEndpoint: string }): Promise<Outcome> {
  try {
    createTokenService({ clientId: CLIENT_ID, tokenEndpoint, host });
  } catch (error) {
    if (error instanceof TypeError) return 'refused';
  }
  const { sent, outcome } = await exchangeAt({ tokenEndpoint, host }, () => answerOf('{}', RIGHT));
  if ('error' in outcome) return outcome.error.code;
  for (const { url } of sent) {
    assertDestination(url, { source: tokenEndpoint, issuer: undefined, host, insecure: false });
    const { host: sentTo, protocol } = new URL(url);
    const usualPort = protocol === 'https:' ? ':443' : ':80';
    if (![sentTo, `${sentTo}${usualPort}`].includes(host.toLowerCase())) {
      throw new Error(`configured for ${JSON.stringify(host)}, sent to ${sentTo}`);
    }
  }
  return 'sent';
}

export const metadataProperties: readonly Property[] = [
  property('whatever metadata says, the subject token goes to the STS that was configured or nowhere', {
    cases: 12_000,
    arbitrary: discovery,
    outcomes: ['found', 'refused'],
    check: checkDiscovery,
  }),
  property('whatever host is configured, the subject token goes to that very host or nowhere', {
    cases: 6_000,
    arbitrary: fc.record({
      host: hostLike,
      tokenEndpoint: fc.constantFrom('https://sts.example.com:8443/token', 'http://127.0.0.1/token'),
    }),
    outcomes: ['sent', 'refused', 'insecure_url'],
    check: checkHost,
  }),
];

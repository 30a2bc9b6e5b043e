import { TOKEN_EXCHANGE_GRANT, TOKEN_TYPE } from '../core/token-types.ts';
import { parseUrl } from '../core/url.ts';
import type { DevelopmentClient, DevelopmentSts, ExchangeRecord } from '../sts/index.ts';
import type { StsConfig } from './sts-config.ts';

export const STS_HELP = `Run an OAuth 2.0 authorization server with token exchange (RFC 8693), FOR DEVELOPMENT ONLY:
whoever reaches it gets a token for any of its users without a password.

Usage: onbehalf sts [--port N] [--host H] [--config FILE.json] [--json]

Options:
  --port N        Port to listen on; 0 picks a free one. Default 9400
  --host H        Address to listen on. Default 127.0.0.1; only loopback is accepted
  --config FILE   Clients, users and trusted issuers as JSON. Default: a client "assistant" that
                  may reach calendar, mail and files for alice and bob
  --json          Print one JSON object per line: one at start, one per token exchange
  --dangerously-allow-non-loopback
                  Let --host be an address that others can reach
  -h, --help      Show this help

Examples:
  onbehalf sts
      Start, and print commands that mint a subject token and exchange it, also with an actor token.

  onbehalf sts --port 0 --json | jq .
      For scripts: the first line names the issuer and its endpoints.

  onbehalf sts --config sts.json
      where sts.json is
      {
        "clients": [{
          "clientId": "planner",
          "authentication": "client_secret_post",
          "clientSecret": "planner-development-secret",
          "audiences": ["calendar", "https://mcp.example.com/files"],
          "scopes": ["calendar.read"]
        }],
        "users": [{ "sub": "carol", "name": "Carol" }],
        "trustedIssuers": [{ "issuer": "https://idp.example.com", "jwksUri": "https://idp.example.com/jwks" }]
      }

  authentication is client_secret_basic, client_secret_post, private_key_jwt (with "jwks" in place of
  "clientSecret") or none. Needs the package oidc-provider: npm install oidc-provider
`;

/** What a person sees at start. */
export function startText(sts: DevelopmentSts, config: StsConfig, showSecrets: boolean): string {
  const users = config.users?.map(({ sub }) => sub) ?? [];
  return `
*** FOR DEVELOPMENT ONLY: anyone who reaches this server gets a token for any user below. ***

Issuer           ${sts.issuer}
Token endpoint   ${sts.tokenEndpoint}
JWKS             ${sts.jwksUri}
Metadata         ${sts.metadataUrl}

Clients
${config.clients.map((client) => `  ${clientLine(client, showSecrets)}`).join('\n')}
Users            ${users.join(', ') || 'none; subject tokens must come from a trusted issuer'}

${tryIt(sts, config, showSecrets)}Ctrl-C stops it. Token exchanges:
`;
}

function clientLine(client: DevelopmentClient, showSecret: boolean): string {
  const secret = showSecret && client.clientSecret !== undefined ? ` secret ${client.clientSecret}` : '';
  const scopes = client.scopes?.length ? `, scopes ${client.scopes.join(' ')}` : '';
  const audiences = client.audiences.join(', ') || 'no audience';
  return `${client.clientId} (${client.authentication}${secret}) may obtain ${audiences}${scopes}`;
}

/** Commands for a POSIX shell; nothing when there is no user or audience to show them with. */
function tryIt(sts: DevelopmentSts, config: StsConfig, showSecrets: boolean): string {
  const user = config.users?.[0];
  const client = config.clients.find(({ audiences }) => audiences.length > 0);
  const audience = client?.audiences[0];
  if (user === undefined || client === undefined || audience === undefined) return '';
  const request = JSON.stringify({ sub: user.sub, audience: client.clientId });
  const exchange = exchangeCommand(sts, credentials(client, showSecrets), audience);
  return `Mint a subject token for ${user.sub}:

  SUBJECT_TOKEN=$(curl -s ${sts.issuer}/development/subject-token \\
    -H 'content-type: application/json' -d ${quote(request)} \\
    | ${member('subject_token')})

Exchange it for a token that only ${audience} accepts; it has no act, so it does not say who acts for ${user.sub}:

${exchange}

${tryActing(sts, client, { showSecrets, exchange })}`;
}

/**
 * The step with an actor token. Only for a client with a secret: one without authentication has no token of its
 * own, and a client assertion serves for one request, while this makes two.
 */
function tryActing(
  sts: DevelopmentSts,
  client: DevelopmentClient,
  options: { readonly showSecrets: boolean; readonly exchange: string },
): string {
  if (client.clientSecret === undefined) return '';
  const { showSecrets, exchange } = options;
  const act = JSON.stringify({ sub: client.clientId });
  return `Exchange it with the agent's own token as actor token; act then is ${act}, the agent:

  ACTOR_TOKEN=$(curl -s ${sts.tokenEndpoint} ${credentials(client, showSecrets)} \\
    -d grant_type=client_credentials | ${member('access_token')})
${exchange} \\
    -d "actor_token=$ACTOR_TOKEN" -d actor_token_type=${TOKEN_TYPE.accessToken}

`;
}

function exchangeCommand(sts: DevelopmentSts, authentication: string, audience: string): string {
  const kind = parseUrl(audience) ? 'resource' : 'audience';
  return `  curl -s ${sts.tokenEndpoint} ${authentication} \\
    -d grant_type=${TOKEN_EXCHANGE_GRANT} \\
    -d "subject_token=$SUBJECT_TOKEN" -d subject_token_type=${TOKEN_TYPE.accessToken} \\
    --data-urlencode ${quote(`${kind}=${audience}`)}`;
}

/** Takes one string out of a JSON object, with what every shell has. */
function member(name: string): string {
  return `sed 's/.*"${name}":"\\([^"]*\\)".*/\\1/'`;
}

function credentials(client: DevelopmentClient, showSecret: boolean): string {
  const id = quote(`client_id=${client.clientId}`);
  switch (client.authentication) {
    case 'client_secret_basic': {
      const secret = showSecret ? quote(client.clientSecret ?? '') : '"$CLIENT_SECRET"';
      return `-u ${quote(`${client.clientId}:`)}${secret}`;
    }
    case 'client_secret_post':
      return `--data-urlencode ${id} --data-urlencode "client_secret=$CLIENT_SECRET"`;
    case 'private_key_jwt':
      return `--data-urlencode "client_assertion=$CLIENT_ASSERTION" \\
    -d client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer`;
    case 'none':
      return `--data-urlencode ${id}`;
  }
}

/** A shell word; plain ones stay as they are. */
function quote(word: string): string {
  return /^[\w:=./@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** One line per exchange: claims only. */
export function exchangeLine(record: ExchangeRecord): string {
  const targets = [...record.audience, ...record.resource].join(' ') || 'no target';
  const scope = record.scope === undefined ? '' : `, scope ${record.scope}`;
  const fault = record.fault === undefined ? '' : ` (fault ${record.fault})`;
  const who = `${record.sub ?? 'unknown subject'} by ${record.clientId ?? 'unknown client'}${actorOf(record)}`;
  return `${record.at} ${record.outcome} ${record.status}${fault}: ${who} for ${targets}${scope}\n`;
}

/** A refused exchange may have had an actor token that did not verify, so only an issued token had none for sure. */
function actorOf({ act, outcome }: ExchangeRecord): string {
  if (act !== undefined) return ` (act ${act})`;
  return outcome === 'issued' ? ' (no act)' : '';
}

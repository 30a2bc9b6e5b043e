// What every example here runs on: where things are, and whose requests come in. A service would have its own.

// #region readme
import { clientCredentialsActor, createBroker, createTokenService } from 'onbehalf';
// #endregion

/** Who signed in, with the token that came with the request: a JSON object of names and subject tokens. */
export const SUBJECT_TOKENS: Readonly<Record<string, string>> = JSON.parse(setting('SUBJECT_TOKENS'));

/** The MCP servers. Their tokens are for the audiences `calendar` and `mail`. */
export const CALENDAR_URL = setting('CALENDAR_URL');
export const MAIL_URL = setting('MAIL_URL');

const ISSUER = setting('ISSUER');
const CLIENT_SECRET = setting('CLIENT_SECRET');

/** One broker for the process, and all that it serves. */
export function startBroker() {
  // #region readme
  const tokenService = createTokenService({
    issuer: ISSUER, // for example https://sts.example.com
    clientId: 'assistant',
    clientAuth: { method: 'client_secret_basic', clientSecret: CLIENT_SECRET },
  });
  const broker = createBroker({ tokenService, actor: clientCredentialsActor(tokenService) });
  // #endregion
  return broker;
}

/** Asks for all users at once, as requests come in, and prints what each was answered. */
export async function answerAll(answer: (subjectToken: string) => Promise<string>): Promise<void> {
  const answers = Object.entries(SUBJECT_TOKENS).map(async ([name, token]) => [name, await answer(token)]);
  console.log(JSON.stringify(Object.fromEntries(await Promise.all(answers))));
}

function setting(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name} in the environment`);
  return value;
}

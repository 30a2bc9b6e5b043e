// What an example runs against: a real authorization server, and two MCP servers that take only tokens of their own.
import { type RunningMcpServer, startMcpServer } from '../../../examples/demo/mcp-server.ts';
import { createDevelopmentSts, type DevelopmentSts } from '../../../src/sts/index.ts';

/** Client id of the agent at the STS, and so the `sub` of `act` in what it issues. */
export const AGENT = 'assistant';
const SECRET = 'a-secret-for-tests-only';

export const SERVERS = ['calendar', 'mail'] as const;
/** Who asks. The STS gives nothing for the last one's token: it was made for another client. */
export const USERS = ['alice', 'bob', 'carol'] as const;
export const DENIED = 'carol';

export interface World {
  readonly sts: DevelopmentSts;
  readonly servers: readonly RunningMcpServer[];
  /** Every token that there is. */
  readonly tokens: readonly string[];
  /** The environment of an example. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const tokens: string[] = [];
  const sts = await createDevelopmentSts({
    clients: [
      {
        ...{ clientId: AGENT, clientSecret: SECRET, authentication: 'client_secret_basic' },
        audiences: SERVERS,
      },
    ],
    users: USERS.map((sub) => ({ sub })),
    onToken: (token) => tokens.push(token),
  });
  const servers = await Promise.all(SERVERS.map((name) => startServer(name, sts)));
  const [calendar, mail] = servers as [RunningMcpServer, RunningMcpServer];
  return {
    ...{ sts, servers, tokens },
    env: {
      ...{ ISSUER: sts.issuer, CLIENT_SECRET: SECRET, CALENDAR_URL: calendar.url, MAIL_URL: mail.url },
      SUBJECT_TOKENS: JSON.stringify(await subjectTokens(sts)),
    },
    async close() {
      await Promise.all([...servers, sts].map((one) => one.close()));
    },
  };
}

function startServer(name: string, { issuer, jwksUri }: DevelopmentSts): Promise<RunningMcpServer> {
  return startMcpServer({
    ...{ name, audience: name, issuer, jwksUri },
    tools: [
      {
        name: `whoami_at_${name}`,
        description: 'Says who is calling.',
        inputSchema: { type: 'object', properties: {} },
        run: (_args, { sub }) => `you are ${sub} at ${name}`,
      },
    ],
  });
}

async function subjectTokens(sts: DevelopmentSts): Promise<Record<string, string>> {
  const minted = USERS.map(async (sub) => {
    const audience = sub === DENIED ? 'another-client' : AGENT;
    return [sub, await sts.mintSubjectToken({ sub, audience })];
  });
  return Object.fromEntries(await Promise.all(minted));
}

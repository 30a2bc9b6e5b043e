// By whose token the server of a scenario is called, as the scenario's context tells.
import {
  type ActorSource,
  type Broker,
  clientCredentialsActor,
  createBroker,
  createTokenService,
  type Delegation,
  jwtBearerActor,
  TOKEN_TYPE,
} from 'onbehalf';
import { discoverResource, type McpServerOptions } from 'onbehalf/mcp';
import { createDevelopmentSts } from 'onbehalf/sts';

/** What the runner tells the client about the scenario. */
export type Context = Readonly<Record<string, string>>;

/** Calls on behalf of a user. */
export interface UserAccess {
  readonly broker: Broker;
  readonly delegation: Delegation;
  readonly target: McpServerOptions['target'];
  /** Whether the server lists nothing without a token: then the first user's run connects. */
  readonly connectsInRun: boolean;
  /** Exchanges made so far. */
  readonly exchanges: number;
  close(): Promise<void>;
}

const CLIENT_SECRET = 'made-up-secret-for-loopback';
const SERVER = 'conformance-server';

/**
 * A user of the development STS, for scenarios whose server asks for no token: the call carries one all the same. For a
 * server that has metadata, what the token is for has to be found there.
 */
export async function userOfDevelopmentSts(hasMetadata: boolean): Promise<UserAccess> {
  const sts = await createDevelopmentSts({
    clients: [
      {
        clientId: 'agent',
        authentication: 'client_secret_basic',
        clientSecret: CLIENT_SECRET,
        audiences: [SERVER],
      },
    ],
    users: [{ sub: 'alice' }],
  });
  const tokenService = createTokenService({
    issuer: sts.issuer,
    clientId: 'agent',
    clientAuth: { method: 'client_secret_basic', clientSecret: CLIENT_SECRET },
  });
  const broker = createBroker({ tokenService, actor: clientCredentialsActor(tokenService) });
  const subjectToken = await sts.mintSubjectToken({ sub: 'alice', audience: 'agent' });
  return {
    broker,
    delegation: broker.begin({ subjectToken }),
    target: hasMetadata ? 'discover' : SERVER,
    connectsInRun: hasMetadata,
    get exchanges() {
      return sts.exchanges.length;
    },
    async close() {
      await broker.close();
      await sts.close();
    },
  };
}

/**
 * A user of the enterprise's identity provider, whose ID token becomes an ID-JAG for the authorization server of the MCP
 * server. Which that is, only the server's metadata tells here; an operator would write it down.
 */
export async function userOfIdentityProvider(url: string, context: Context): Promise<UserAccess> {
  let exchanges = 0;
  const broker = createBroker({
    tokenService: createTokenService({
      issuer: context.idp_issuer,
      clientId: given(context, 'idp_client_id'),
    }),
    observer: {
      exchange() {
        exchanges += 1;
      },
    },
  });
  const subjectToken = given(context, 'idp_id_token');
  return {
    broker,
    delegation: broker.begin({ subjectToken, subjectTokenType: TOKEN_TYPE.idToken }),
    target: {
      discover: true,
      authorizationServers: [
        createTokenService({
          issuer: await authorizationServerOf(url),
          clientId: given(context, 'client_id'),
          clientAuth: { method: 'client_secret_basic', clientSecret: given(context, 'client_secret') },
        }),
      ],
      // The tokens of the runner are no JWTs.
      allowOpaqueIssued: true,
    },
    connectsInRun: true,
    get exchanges() {
      return exchanges;
    },
    close: async () => broker.close(),
  };
}

/** The agent's own token by the client credentials grant, the client known by a secret or by a key. */
export async function agentWithCredentials(url: string, context: Context): Promise<ActorSource> {
  const { resource, authorizationServers } = await discoverResource(url);
  const { private_key_pem: pem, signing_algorithm: algorithm } = context;
  const service = createTokenService({
    issuer: authorizationServers[0],
    clientId: given(context, 'client_id'),
    clientAuth:
      pem === undefined
        ? { method: 'client_secret_basic', clientSecret: given(context, 'client_secret') }
        : { method: 'private_key_jwt', privateKey: pem, algorithm },
  });
  return clientCredentialsActor(service, { resource });
}

/** The agent's own token for what its platform says that it is (RFC 7523 section 2.1). */
export async function agentOfWorkload(url: string, context: Context): Promise<ActorSource> {
  const { resource, authorizationServers } = await discoverResource(url);
  const service = createTokenService({
    issuer: authorizationServers[0],
    clientId: given(context, 'client_id'),
  });
  const assertion = given(context, process.env.ONBEHALF_ASSERTION ?? 'valid_jwt');
  const scope = process.env.ONBEHALF_SCOPE;
  return jwtBearerActor(service, { assertion, resource, scope });
}

async function authorizationServerOf(url: string): Promise<string> {
  const [issuer] = (await discoverResource(url)).authorizationServers;
  if (issuer === undefined) throw new Error('the metadata names no authorization server');
  return issuer;
}

function given(context: Context, name: string): string {
  const value = context[name];
  if (value === undefined) throw new Error(`the scenario gives no ${name}`);
  return value;
}

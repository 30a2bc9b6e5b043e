import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { createDevelopmentSts, type DevelopmentSts } from '../../../src/sts/index.ts';
import type { Places } from '../places.ts';
import type { Given } from '../row.ts';
import { CLIENT } from '../usual.ts';

const IDP = 'https://idp.example.com';

/** What two authorization servers, one after the other at one address, have in common. */
interface Identity {
  readonly jwks: { readonly keys: [object] };
  /** The user's token. */
  readonly subject: string;
  readonly actor: string;
}

async function identityProvider(): Promise<Identity> {
  const { privateKey, publicKey } = await generateKeyPair('ES256');
  const sign = (sub: string): Promise<string> =>
    new SignJWT({ sub })
      .setProtectedHeader({ alg: 'ES256' })
      .setIssuer(IDP)
      .setAudience(CLIENT.id)
      .setExpirationTime('1h')
      .sign(privateKey);
  const jwks: Identity['jwks'] = { keys: [{ ...(await exportJWK(publicKey)), alg: 'ES256' }] };
  return { jwks, subject: await sign('alice'), actor: await sign(CLIENT.id) };
}

function start(places: Places, { jwks }: Identity, port = 0): Promise<DevelopmentSts> {
  const { id: clientId, secret: clientSecret } = CLIENT;
  return createDevelopmentSts({
    port,
    clients: [{ clientId, authentication: 'client_secret_basic', clientSecret, audiences: ['calendar'] }],
    trustedIssuers: [{ issuer: IDP, jwks }],
    onToken: places.issue,
  });
}

/** The MCP server verifies tokens with the keys that the STS publishes, and has no time to keep old ones. */
function verifyWith(places: Places, { jwksUri, issuer }: DevelopmentSts): void {
  const keys = createRemoteJWKSet(new URL(jwksUri), { cooldownDuration: 0 });
  places.mcp.handle(async ({ headers }, response) => {
    const token = headers.authorization?.replace('Bearer ', '') ?? '';
    const isGood = await jwtVerify(token, keys, { issuer, audience: 'calendar' }).then(
      () => true,
      () => false,
    );
    response.writeHead(isGood ? 200 : 401).end();
  });
}

/** The STS starts anew with other keys: the kept token is refused, one more exchange mends it. */
export async function withRotatedKeys(places: Places): Promise<Given> {
  const identity = await identityProvider();
  places.secret(identity.actor);
  let sts = await start(places, identity);
  let before = 0;
  places.atEnd(() => sts.close());
  verifyWith(places, sts);
  return {
    service: { issuer: sts.issuer, tokenEndpoint: undefined },
    broker: { actor: () => identity.actor },
    subject: { token: identity.subject },
    exchanges: () => before + sts.exchanges.length,
    async play({ call }) {
      await call();
      before = sts.exchanges.length;
      await sts.close();
      sts = await start(places, identity, Number(new URL(sts.issuer).port));
      verifyWith(places, sts);
      await call();
    },
  };
}

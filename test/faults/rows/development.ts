import { clientCredentialsActor } from '../../../src/core/actor.ts';
import { createTokenService } from '../../../src/core/token-service.ts';
import { createDevelopmentSts, type Fault } from '../../../src/sts/index.ts';
import type { Places } from '../places.ts';
import type { Given } from '../row.ts';
import { CLIENT } from '../usual.ts';

/** The development STS with these faults: a real authorization server, whose lies are signed. */
export function atDevelopmentSts(...faults: readonly Fault[]): (places: Places) => Promise<Given> {
  return async (places) => {
    const sts = await createDevelopmentSts({
      clients: [
        {
          clientId: CLIENT.id,
          authentication: 'client_secret_basic',
          clientSecret: CLIENT.secret,
          audiences: ['calendar'],
          scopes: ['read', 'write'],
        },
      ],
      users: [{ sub: 'alice' }],
      onToken: places.issue,
    });
    places.atEnd(sts.close);
    for (const fault of faults) sts.inject(fault);
    const clientAuth = { method: 'client_secret_basic', clientSecret: CLIENT.secret } as const;
    const agent = createTokenService({ issuer: sts.issuer, clientId: CLIENT.id, clientAuth });
    return {
      service: { issuer: sts.issuer, tokenEndpoint: undefined },
      broker: { actor: clientCredentialsActor(agent) },
      subject: { token: await sts.mintSubjectToken({ sub: 'alice', audience: CLIENT.id }) },
      exchanges: () => sts.exchanges.length,
    };
  };
}

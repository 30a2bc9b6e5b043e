import type { GrantedExchange } from './exchange-grant.ts';
import type { LyingFault } from './faults.ts';
import type { TokenMint } from './token-mint.ts';

/** Signs a granted exchange and puts the response together, telling the injected lie if there is one. */
export async function respondToExchange(
  granted: GrantedExchange,
  mint: TokenMint,
  lie?: LyingFault,
): Promise<Record<string, unknown>> {
  const token = lie?.kind === 'opaque' ? mint.opaque() : await mint.sign(bentClaims(granted.claims, lie));
  const { issued_token_type, ...rest } = granted.response;
  if (lie?.kind === 'missing-issued-token-type') return { access_token: token, ...rest };
  return { access_token: token, issued_token_type, ...rest };
}

function bentClaims(claims: GrantedExchange['claims'], lie?: LyingFault): GrantedExchange['claims'] {
  switch (lie?.kind) {
    case 'wrong-audience':
      return { ...claims, aud: lie.value ?? 'wrong-audience' };
    case 'other-subject':
      return { ...claims, sub: lie.value ?? 'somebody-else' };
    case 'wider-scope':
      return { ...claims, scope: [claims.scope, 'everything'].filter(Boolean).join(' ') };
    case 'no-act': {
      const { act: _, ...withoutAct } = claims;
      return withoutAct;
    }
    default:
      return claims;
  }
}

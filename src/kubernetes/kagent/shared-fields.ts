import { type Fate, mapped, mappedUnlessEmpty } from './fields.ts';
import { isNothing, isObject } from './json.ts';

/** `tls`: the API server fills in `false`, and http URLs must not have it. */
export const tls: Fate = mapped('tls', (value) => {
  if (isNothing(value)) return undefined;
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, setting]) => !isNothing(setting)));
});

/** `stsAudience` and `tokenExchange`, which kagent's CRDs do not have yet: a manifest may. */
export const targetFields: { readonly stsAudience: Fate; readonly tokenExchange: Fate } = {
  stsAudience: mappedUnlessEmpty(),
  tokenExchange: mapped(),
};

import type { SharedV3ProviderMetadata } from '@ai-sdk/provider';
import type { Part } from './calls.ts';

/** Where a part of a session has what its provider wants back with it. */
const FIELD = 'providerMetadata';

/** What goes into a part, so that it reaches the provider again with the next request. */
export function withMetadata(
  metadata: SharedV3ProviderMetadata | undefined,
): Pick<Part, 'partMetadata'> | undefined {
  const told = Object.entries(metadata ?? {}).filter(([, value]) => Object.keys(value).length > 0);
  return told.length > 0 ? { partMetadata: { [FIELD]: Object.fromEntries(told) } } : undefined;
}

/** What {@link withMetadata} put into a part. */
export function keptMetadata({ partMetadata }: Part): SharedV3ProviderMetadata | undefined {
  return partMetadata?.[FIELD] as SharedV3ProviderMetadata | undefined;
}

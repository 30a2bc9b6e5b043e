import * as z from 'zod';
import { orNone } from './or-none.ts';

/** What the agent keeps for its users from one conversation to the next; `memory` of kagent v0.10. */
export interface MemorySettings {
  /** How long a memory is kept, in days. Default, and what 0 stands for: 15. */
  readonly ttl_days?: number | undefined;
  /** kagent's; what runs the config says whether it can do it. */
  readonly embedding?: unknown;
}

/** Schema of {@link MemorySettings}. Loose: fields that are not here parse too, and whoever runs the config warns of them by name. */
export const memorySettings: z.ZodType<MemorySettings | undefined> = z.preprocess(
  (value) => (value === false ? null : value),
  orNone(
    z.looseObject({
      ttl_days: orNone(z.int().min(0).max(3650)).describe(
        'How long a memory is kept, in days; 0 is as if it were not given. Default: 15.',
      ),
      embedding: z
        .unknown()
        .optional()
        .describe("kagent's: the model that memories are compared by. Here they are found by their words."),
    }),
  ),
);

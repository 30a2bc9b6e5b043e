import { mergeConfig } from 'vitest/config';
import { interopConfig } from '../support/config.ts';

// A scenario waits for processes to start most of the time.
export default mergeConfig(interopConfig('conformance'), { test: { maxConcurrency: 3 } });

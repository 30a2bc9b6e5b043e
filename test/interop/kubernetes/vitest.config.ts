import { interopConfig } from '../support/config.ts';

export default interopConfig('kubernetes');

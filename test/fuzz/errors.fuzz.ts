import { errorProperties } from './error-properties.ts';
import { describeProperties } from './suite.ts';

describeProperties(errorProperties, 'long');

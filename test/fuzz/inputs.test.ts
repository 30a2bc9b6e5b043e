import { inputProperties } from './input-properties.ts';
import { describeProperties } from './suite.ts';

describeProperties(inputProperties, 'short');

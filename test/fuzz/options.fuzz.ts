import { optionProperties } from './option-properties.ts';
import { describeProperties } from './suite.ts';

describeProperties(optionProperties, 'long');

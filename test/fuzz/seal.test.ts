import { sealProperties } from './seal-properties.ts';
import { describeProperties } from './suite.ts';

describeProperties(sealProperties, 'short');

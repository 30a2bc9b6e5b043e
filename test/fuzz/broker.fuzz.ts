import { brokerProperties } from './broker-properties.ts';
import { describeProperties } from './suite.ts';

describeProperties(brokerProperties, 'long');

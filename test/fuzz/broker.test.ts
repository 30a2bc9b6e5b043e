import { brokerProperties } from './broker-properties.ts';
import { describeProperties } from './suite.ts';
import { twoStepProperties } from './two-step-properties.ts';

describeProperties([...brokerProperties, ...twoStepProperties], 'short');

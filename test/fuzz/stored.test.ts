import { storedProperties } from './stored-properties.ts';
import { describeProperties } from './suite.ts';

describeProperties(storedProperties, 'short');

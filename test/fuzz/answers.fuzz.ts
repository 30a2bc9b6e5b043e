import { answerProperties } from './answer-properties.ts';
import { describeProperties } from './suite.ts';

describeProperties(answerProperties, 'long');

import { metadataProperties } from './metadata-properties.ts';
import { describeProperties } from './suite.ts';

describeProperties(metadataProperties, 'long');

import { KINDS, type Kind } from '../api/kinds.ts';
import { API_VERSION } from '../api/meta.ts';
import type { Resource } from './types.ts';

const ours = (kind: Kind): Resource => ({
  apiVersion: API_VERSION,
  kind,
  plural: KINDS[kind].plural,
  namespaced: true,
});

const namespaced = (apiVersion: string, kind: string): Resource => ({
  apiVersion,
  kind,
  plural: `${kind.toLowerCase()}s`,
  namespaced: true,
});

/** The kinds of objects that the controller reads or writes, by name. */
export const RESOURCES: Readonly<
  Record<
    | Kind
    | 'ConfigMap'
    | 'Deployment'
    | 'Event'
    | 'Lease'
    | 'Namespace'
    | 'Secret'
    | 'Service'
    | 'ServiceAccount',
    Resource
  >
> = {
  Agent: ours('Agent'),
  ModelConfig: ours('ModelConfig'),
  RemoteMCPServer: ours('RemoteMCPServer'),
  TokenService: ours('TokenService'),
  ConfigMap: namespaced('v1', 'ConfigMap'),
  Namespace: { ...namespaced('v1', 'Namespace'), namespaced: false },
  Secret: namespaced('v1', 'Secret'),
  Service: namespaced('v1', 'Service'),
  ServiceAccount: namespaced('v1', 'ServiceAccount'),
  Deployment: namespaced('apps/v1', 'Deployment'),
  Event: namespaced('events.k8s.io/v1', 'Event'),
  Lease: namespaced('coordination.k8s.io/v1', 'Lease'),
};

import type { Place, Resource, Selection } from './types.ts';

/** Which of an object's paths; default: the object itself. */
export type Subresource = 'status' | undefined;

/** Path of all objects of a resource, or of those of one namespace. */
export function collectionPath(resource: Resource, namespace: string | undefined): string {
  const { apiVersion, plural, namespaced } = resource;
  const root = apiVersion.includes('/') ? '/apis' : '/api';
  const within = namespaced && namespace !== undefined ? `/namespaces/${step(namespace)}` : '';
  return `${root}/${apiVersion}${within}/${plural}`;
}

/** Path of one object. @throws TypeError when its name or namespace is none */
export function objectPath(
  resource: Resource,
  { namespace, name }: Place,
  subresource?: Subresource,
): string {
  const path = `${collectionPath(resource, namespace)}/${step(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** Query of a list or a watch. */
export function selectionQuery({ labelSelector }: Selection, more: Readonly<Record<string, string>>): string {
  const query = new URLSearchParams(more);
  if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
  return query.size === 0 ? '' : `?${query}`;
}

/** A resource for messages, as kubectl names it: `agents.onbehalf.dev`. */
export function resourceName({ apiVersion, plural }: Resource): string {
  const [group, version] = apiVersion.split('/');
  return version === undefined ? plural : `${plural}.${group}`;
}

/** Without a name the path would be that of all objects; with dots it would lead elsewhere. */
function step(name: string): string {
  if (/^\.{0,2}$|[/%]/.test(name)) throw new TypeError(`"${name}" is no name of an object or a namespace`);
  return encodeURIComponent(name);
}

import { isKubeError, KubeError } from './kube-error.ts';
import { collectionPath, resourceName, selectionQuery } from './paths.ts';
import type { Order } from './requests.ts';
import type { KubeObject, Listed, Resource, Selection } from './types.ts';

export interface ListOptions {
  readonly resource: Resource;
  readonly selection: Selection;
  readonly read: (order: Order) => Promise<unknown>;
}

/** What kubectl and the controllers of Kubernetes ask for. */
const PAGE = 500;
/** How often a list is begun again when it took longer than the API server remembers. */
const ATTEMPTS = 3;

/** All objects, page by page. @throws KubeError `Expired` when it took too long */
export async function* readPages({
  resource,
  selection,
  read,
}: ListOptions): AsyncGenerator<Listed, void, void> {
  const { apiVersion, kind } = resource;
  const path = collectionPath(resource, selection.namespace);
  const what = `list ${resourceName(resource)}`;
  let limit = PAGE;
  let next: string | undefined;
  for (;;) {
    const query = selectionQuery(selection, {
      limit: String(limit),
      ...(next === undefined ? {} : { continue: next }),
    });
    try {
      const page = pageOf(await read({ method: 'GET', path: `${path}${query}`, what }), what);
      const { resourceVersion } = page;
      // Unlike all other answers, a list says them once for all.
      yield { items: page.items.map((item) => ({ ...item, apiVersion, kind })), resourceVersion };
      next = page.next;
      if (next === undefined) return;
    } catch (error) {
      // Objects can be of a megabyte each.
      if (!isKubeError(error, 'TooLarge') || limit === 1) throw error;
      limit = Math.ceil(limit / 8);
    }
  }
}

/** All objects at once. */
export async function readList(options: ListOptions): Promise<Listed> {
  for (let tried = 1; ; tried += 1) {
    try {
      const items: KubeObject[] = [];
      let resourceVersion = '';
      for await (const page of readPages(options)) {
        items.push(...page.items);
        resourceVersion = page.resourceVersion;
      }
      return { items, resourceVersion };
    } catch (error) {
      if (!isKubeError(error, 'Expired') || tried === ATTEMPTS) throw error;
    }
  }
}

function pageOf(said: unknown, what: string): Listed & { readonly next: string | undefined } {
  const { metadata, items } = (said ?? {}) as {
    metadata?: { resourceVersion?: string; continue?: string } | null;
    items?: KubeObject[] | null;
  };
  const resourceVersion = metadata?.resourceVersion;
  if (!resourceVersion || (items && !Array.isArray(items))) {
    throw new KubeError(`cannot ${what}: the answer is no list`, { code: 0, reason: 'Malformed' });
  }
  return { items: items ?? [], resourceVersion, next: metadata.continue || undefined };
}

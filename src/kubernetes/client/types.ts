/** Any object of the API, as JSON. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: KubeMeta;
  readonly [member: string]: unknown;
}

/** What is used of `metav1.ObjectMeta`. */
export interface KubeMeta {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly generation?: number | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
  readonly deletionTimestamp?: string | undefined;
  readonly creationTimestamp?: string | undefined;
}

/** `metav1.OwnerReference`. */
export interface OwnerReference {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
  readonly controller?: boolean | undefined;
  readonly blockOwnerDeletion?: boolean | undefined;
}

/** A kind of object as the API's paths name it. */
export interface Resource {
  /** Group and version, e.g. `v1` or `apps/v1`. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** Which objects of a resource. */
export interface Selection {
  /** Default: all namespaces. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
}

/** Objects as they were at one resourceVersion. */
export interface Listed {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
}

/** One change of an object. */
export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  readonly object: KubeObject;
}

/** Where one object is. */
export interface Place {
  /** Empty for what has no namespace. */
  readonly namespace: string;
  readonly name: string;
}

/**
 * What of the Kubernetes API is used: JSON in and out. Every failure is a `KubeError` with the `reason` and `code` of
 * the API's Status; it repeats no body of a request. Reads, applies and deletions are tried again after 429, 5xx and
 * broken connections, a few times, with back-off and Retry-After.
 */
export interface KubeClient {
  /** `undefined`: there is none. */
  readonly get: (resource: Resource, place: Place, signal?: AbortSignal) => Promise<KubeObject | undefined>;
  /** All. */
  readonly list: (resource: Resource, selection: Selection, signal?: AbortSignal) => Promise<Listed>;
  /**
   * All, page by page, for those who keep little of them; all pages are of one resourceVersion. `Expired` when the next
   * page comes too late.
   */
  readonly pages: (resource: Resource, selection: Selection, signal?: AbortSignal) => AsyncIterable<Listed>;
  /** Changes from `resourceVersion` on, until the server ends it (returns) or it fails (throws; 410 is reason `Expired`). */
  readonly watch: (
    resource: Resource,
    from: Selection & { readonly resourceVersion: string },
    signal: AbortSignal,
  ) => AsyncIterable<WatchEvent>;
  /** Server-side apply as our field manager, by force. */
  readonly apply: (resource: Resource, object: KubeObject, signal?: AbortSignal) => Promise<KubeObject>;
  /** The same for the status subresource. */
  readonly applyStatus: (resource: Resource, object: KubeObject, signal?: AbortSignal) => Promise<KubeObject>;
  /**
   * Overwrites members by a JSON merge patch (RFC 7396), lists as a whole, as another field manager. 409 `Conflict` when
   * `metadata.resourceVersion` is given and old.
   */
  readonly merge: (
    resource: Resource,
    object: KubeObject,
    options: { readonly manager: string; readonly signal?: AbortSignal | undefined },
  ) => Promise<KubeObject>;
  /** Not tried again; 409 `AlreadyExists`. */
  readonly create: (resource: Resource, object: KubeObject, signal?: AbortSignal) => Promise<KubeObject>;
  /** Not tried again; 409 `Conflict` when `metadata.resourceVersion` is old. */
  readonly replace: (resource: Resource, object: KubeObject, signal?: AbortSignal) => Promise<KubeObject>;
  /** Only the object with this uid; gone is as good as deleted. */
  readonly delete: (
    resource: Resource,
    place: Place & { readonly uid: string },
    signal?: AbortSignal,
  ) => Promise<void>;
  /** Ends connections that wait. */
  readonly close: () => void;
}

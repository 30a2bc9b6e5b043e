import { type Fields, mapped, mappedUnlessEmpty, refused, warned, within } from './fields.ts';
import { isNothing, isObject, member, objectOf, textMember } from './json.ts';
import { inner, type Spot, warn } from './spot.ts';
import { walkObject } from './walk.ts';

const keyRef: Fields = {
  name: mapped(),
  key: mapped(),
  optional: warned('is not heeded: the pod waits until the key is there'),
};

const notHere = 'is no source of a value here, so the variable is left out';

const variable: Fields = {
  name: mapped(),
  value: mapped(),
  valueFrom: within({
    secretKeyRef: within(keyRef),
    configMapKeyRef: within(keyRef),
    fieldRef: warned(notHere),
    resourceFieldRef: warned(notHere),
    fileKeyRef: warned(notHere),
  }),
};

const STS = 'has no effect on the agent server of Onbehalf';

/** What somebody who sets a variable of kagent's token propagation has to do here. */
const VARIABLES: Readonly<Record<string, string>> = {
  STS_WELL_KNOWN_URI: `${STS}: make a TokenService with this metadataURL`,
  KAGENT_STS_WELL_KNOWN_URI: `${STS}: make a TokenService with this metadataURL`,
  KAGENT_STS_AUDIENCE: `${STS}: say the audience of each server, by the annotation onbehalf.dev/sts-audience`,
  KAGENT_STS_RESOURCE: `${STS}: say the resources of each server, by the annotation onbehalf.dev/token-exchange`,
  KAGENT_PROPAGATE_TOKEN: `${STS}: the token of the user is never handed on; say the audience of each server`,
};

/** A list of variables, without those that have no value here. */
function variables(given: unknown, spot: Spot): unknown {
  if (!Array.isArray(given)) return given;
  const taken: unknown[] = [];
  for (const [index, item] of given.entries()) {
    const there = inner(spot, [index], [taken.length]);
    const made = walkObject(item, variable, there);
    const note = member(VARIABLES, textMember(made, 'name') ?? '');
    if (typeof note === 'string') warn(there, note);
    const lost = isObject(made.valueFrom) && isNothing(made.valueFrom);
    if (!lost) taken.push(made);
  }
  return taken;
}

/** Amounts of resources; YAML writes `cpu: 1` as a number. */
function amounts(given: unknown): unknown {
  if (!isObject(given)) return given;
  return Object.fromEntries(
    Object.entries(given).map(([name, amount]) => [
      name,
      typeof amount === 'number' ? String(amount) : amount,
    ]),
  );
}

/** What the pods of agents have anyway, so that asking for it asks for nothing. */
const RESTRICTED: Readonly<Record<string, (value: unknown) => boolean>> = {
  runAsNonRoot: (value) => value === true,
  allowPrivilegeEscalation: (value) => value === false,
  privileged: (value) => value === false,
  capabilities: (value) =>
    JSON.stringify(member(objectOf(value), 'drop')) === '["ALL"]' && isNothing(objectOf(value).add),
  seccompProfile: (value) => member(objectOf(value), 'type') === 'RuntimeDefault',
};

/** Whether a security context asks for no other than these settings. */
function asksOnly(settings: typeof RESTRICTED): (value: unknown) => boolean {
  return (value) =>
    isObject(value) &&
    Object.entries(value).every(
      ([name, asked]) => asked === null || (Object.hasOwn(settings, name) && settings[name]?.(asked)),
    );
}

const BEYOND =
  'cannot be set here: pods run as no root, without privileges or capabilities, with the default seccomp profile; remove what goes beyond';
const hardened = refused(BEYOND, asksOnly(RESTRICTED));
const placed = warned('does not place pods here: only nodeSelector does');
const mounted = warned('is not mounted here');

const shared: Fields = {
  replicas: mapped(),
  imagePullSecrets: mapped(),
  imagePullPolicy: mappedUnlessEmpty(),
  volumes: mounted,
  volumeMounts: mounted,
  labels: mapped(),
  annotations: mapped(),
  env: mapped('env', variables),
  resources: within({
    limits: mapped('limits', amounts),
    requests: mapped('requests', amounts),
    claims: warned('is not claimed here'),
  }),
  tolerations: placed,
  affinity: placed,
  nodeSelector: mapped(),
  securityContext: hardened,
  podSecurityContext: hardened,
  serviceAccountName: mappedUnlessEmpty(),
  serviceAccountConfig: warned('has no effect: make a ServiceAccount and name it in serviceAccountName'),
  extraContainers: refused(
    'cannot be had here, and what they guard would be open: make a BYO agent whose image does it, or remove them',
  ),
  deploymentStrategy: warned('has no effect: pods are replaced one by one, a new one first'),
};

/** Fields of `spec.declarative.deployment`. */
export const declarativeDeployment: Fields = {
  ...shared,
  // An image of the user's own may write where it likes, so that asking it not to is no empty wish.
  securityContext: refused(
    BEYOND,
    asksOnly({ ...RESTRICTED, readOnlyRootFilesystem: (value) => value === true }),
  ),
  imageRegistry: warned('has no effect: the image is the one that the controller of Onbehalf was told'),
};

/** Fields of `spec.byo.deployment`. */
export const byoDeployment: Fields = {
  ...shared,
  image: mapped(),
  cmd: mappedUnlessEmpty(),
  args: mapped(),
};

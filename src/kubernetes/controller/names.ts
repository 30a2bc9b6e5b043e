/** Whose field manager the controller is. */
export const MANAGER = 'onbehalf-controller';

/** On each child: who made it. The controller watches those. */
export const MANAGED_BY = 'app.kubernetes.io/managed-by';
/** Value of {@link MANAGED_BY}. */
export const OURS = 'onbehalf';
/** On each child and pod: the name of its Agent. It selects the pods, so it can never change. */
export const AGENT_LABEL = 'onbehalf.dev/agent';
/** On the pod template: digest of all that the pods read, so that they roll when it changes. */
export const CONFIG_HASH = 'onbehalf.dev/config-hash';
/** On each child: digest of what was applied, so that what is no longer wanted is noticed. */
export const APPLIED = 'onbehalf.dev/applied';
/** Selects all children. */
export const CHILDREN: string = `${MANAGED_BY}=${OURS}`;

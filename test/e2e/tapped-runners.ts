// The inside of agent servers, for tests that search it for tokens: plugins in their runners, and all that the runners say.
import { type BasePlugin, type Event, Runner } from '@google/adk';

export interface Tap {
  /** For the runner of each agent. */
  plugins: () => BasePlugin[];
  /** Sees each event of ADK's, before anything is left out for the caller. */
  onEvent: (event: Event) => void;
}

/** Taps every runner from now on. @returns how to stop */
export function tapRunners({ plugins, onEvent }: Tap): () => void {
  const { prototype } = Runner;
  const { runAsync } = prototype;
  const tapped = new WeakSet<Runner>();
  prototype.runAsync = async function* (this: Runner, params) {
    if (!tapped.has(this)) for (const plugin of plugins()) this.pluginManager.registerPlugin(plugin);
    tapped.add(this);
    for await (const event of runAsync.call(this, params)) {
      onEvent(event);
      yield event;
    }
  };
  return () => {
    prototype.runAsync = runAsync;
  };
}

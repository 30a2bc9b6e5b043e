// Two ADK plugins that time every tool call the same way for every contender: one goes first and one last in the
// list of plugins, so that what lies between them includes the callbacks of whatever plugin is being measured.
import { BasePlugin, type BaseTool, type Context } from '@google/adk';

export interface CallTimes {
  /** From before the first plugin's beforeTool to after the last plugin's afterTool, in ms. */
  total: number;
  /** Inside the tool's own `runAsync`, in ms; absent if a plugin answered in its stead. */
  inside?: number;
}

interface ToolEvent {
  tool: BaseTool;
  toolContext: Context;
}

export interface Measuring {
  first: BasePlugin;
  last: BasePlugin;
  /** The calls timed since the last time this was asked. */
  take(): CallTimes[];
}

export function createMeasuring(): Measuring {
  let done: CallTimes[] = [];
  const running = new Map<string, { since: number; inside?: number }>();
  const timed = new WeakSet<BaseTool>();

  function timeInside(tool: BaseTool): void {
    if (timed.has(tool)) return;
    timed.add(tool);
    const runAsync = tool.runAsync.bind(tool);
    tool.runAsync = async (request) => {
      const since = performance.now();
      try {
        return await runAsync(request);
      } finally {
        const call = running.get(request.toolContext.functionCallId ?? '');
        if (call) call.inside = performance.now() - since;
      }
    };
  }

  class First extends BasePlugin {
    override async beforeToolCallback({ tool, toolContext }: ToolEvent): Promise<undefined> {
      timeInside(tool);
      running.set(toolContext.functionCallId ?? '', { since: performance.now() });
    }
  }

  class Last extends BasePlugin {
    override async afterToolCallback({ toolContext }: ToolEvent): Promise<undefined> {
      const id = toolContext.functionCallId ?? '';
      const call = running.get(id);
      if (!call) return;
      running.delete(id);
      const times: CallTimes = { total: performance.now() - call.since };
      if (call.inside !== undefined) times.inside = call.inside;
      done.push(times);
    }
  }

  return {
    first: new First('measuring-first'),
    last: new Last('measuring-last'),
    take() {
      const taken = done;
      done = [];
      return taken;
    },
  };
}

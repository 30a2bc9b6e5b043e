import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ControllerStats } from '../kubernetes/controller/controller.ts';
import { counter, gauge, type Metric, PROMETHEUS_TYPE, prometheusText } from '../telemetry/prometheus.ts';

/** What is served beside the work: `/healthz` and `/readyz` for probes, `/metrics` for Prometheus. */
export interface HealthServers {
  readonly healthPort: number;
  readonly metricsPort: number;
  readonly close: () => Promise<void>;
}

export interface HealthOptions {
  /** 0: a free one. */
  readonly healthPort: number;
  /** 0: a free one. That of `healthPort`: the same server. */
  readonly metricsPort: number;
  readonly stats: () => ControllerStats;
}

/** Starts one server, or two. @throws Error of the port that cannot be had */
export async function startHealthServers(options: HealthOptions): Promise<HealthServers> {
  const { healthPort, metricsPort, stats } = options;
  const health = await listen(healthPort, (path) => answerOf(path, stats));
  const isOne = metricsPort === healthPort && metricsPort !== 0;
  const metrics = isOne ? health : await listen(metricsPort, (path) => answerOf(path, stats));
  return {
    healthPort: portOf(health),
    metricsPort: portOf(metrics),
    close: async () => {
      await Promise.all([...new Set([health, metrics])].map(closed));
    },
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function answerOf(path: string, stats: () => ControllerStats): Answer {
  // Answers as long as the event loop turns: to start again would not bring an API server back.
  if (path === '/healthz') return { status: 200, text: 'ok\n' };
  if (path === '/readyz') {
    const { synced } = stats();
    return synced ? { status: 200, text: 'ok\n' } : { status: 503, text: 'not all objects are read yet\n' };
  }
  if (path === '/metrics') return { status: 200, text: metricsText(stats()) };
  return { status: 404, text: 'there are /healthz, /readyz and /metrics\n' };
}

function listen(port: number, answer: (path: string) => Answer): Promise<Server> {
  const server = createServer((request, response) => {
    const { status, text } = answer((request.url ?? '').split('?')[0] ?? '');
    response.writeHead(status, { 'content-type': PROMETHEUS_TYPE }).end(text);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => resolve(server));
  });
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

async function closed(server: Server): Promise<void> {
  const ended = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await ended;
}

/** The text format of Prometheus. */
export function metricsText(stats: ControllerStats): string {
  const { queue, looks, reconciles, writes } = stats;
  const of = (label: string, values: object): Metric['value'] => ({
    label,
    values: values as Readonly<Record<string, number>>,
  });
  return prometheusText('onbehalf_controller', [
    gauge('queue_keys', 'Objects in the work queue, by what they wait for.', of('state', queue)),
    gauge('looks', 'Looks at STSs and MCP servers.', of('state', looks)),
    counter('reconciles_total', 'Reconciles, by how they ended.', of('outcome', reconciles)),
    counter('writes_total', 'Writes sent to the API server.', of('kind', writes)),
    gauge('objects', 'Objects kept in memory.', stats.objects),
    gauge('dependencies', 'Pairs of an object and one that depends on it.', stats.dependencies),
    gauge('leading', '1 for the instance that works.', Number(stats.leading)),
    gauge('synced', '1 when all objects have been read.', Number(stats.synced)),
  ]);
}

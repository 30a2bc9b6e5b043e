import { createServer } from 'node:http';
import { PROMETHEUS_TYPE } from '../telemetry/prometheus.ts';
import { bind } from './bind.ts';
import { oneAtATime } from './one-at-a-time.ts';

/** What is served beside the agent, for those who run it. */
export interface AdminServer {
  /** E.g. `http://127.0.0.1:9464`. */
  readonly url: string;
  close(): Promise<void>;
}

/** What it tells. */
export interface AdminRoutes {
  /** The text format of Prometheus. */
  readonly metrics: () => string;
}

/** Serves `/metrics` on a port of its own, so that who may call the agent need not see them. @throws Error of Node, as `listen` */
export async function startAdminServer(
  { host, port }: { readonly host: string; readonly port: number },
  { metrics }: AdminRoutes,
): Promise<AdminServer> {
  const server = createServer(
    oneAtATime((request, response) => {
      const isKnown = request.url?.split('?', 1)[0] === '/metrics';
      const text = isKnown ? metrics() : 'there is /metrics\n';
      response.writeHead(isKnown ? 200 : 404, { 'content-type': PROMETHEUS_TYPE }).end(text);
    }),
  );
  const url = await bind(server, host, port);
  return {
    url,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { createTokenService } from '../core/token-service.ts';
import type { TokenService } from '../core/token-service-handle.ts';
import { createKubeClient } from '../kubernetes/client/kube-client.ts';
import type { KubeClient } from '../kubernetes/client/types.ts';
import { type Controller, createController } from '../kubernetes/controller/controller.ts';
import { MANAGER } from '../kubernetes/controller/names.ts';
import { runAsLeader } from '../kubernetes/leader/run-as-leader.ts';
import {
  type ControllerArguments,
  type DiscoveryArguments,
  parseControllerArguments,
} from './controller-arguments.ts';
import { startHealthServers } from './controller-health.ts';
import { tellingOf } from './controller-leading.ts';
import { CONTROLLER_HELP } from './controller-text.ts';
import { createToolLister } from './controller-tools.ts';
import { type CliIo, type Command, EXIT } from './io.ts';

const POD_NAMESPACE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';
const DEFAULT_NAMESPACE = 'onbehalf-system';

/** `onbehalf controller`: runs the Kubernetes controller until it is interrupted. */
export const controller: Command = async (argv, io) => {
  let args: ControllerArguments | 'help';
  try {
    args = parseControllerArguments(argv);
  } catch (error) {
    io.err(
      `onbehalf controller: ${messageOf(error)}\nRun "onbehalf controller --help" to see the options.\n`,
    );
    return EXIT.usage;
  }
  if (args === 'help') {
    io.out(CONTROLLER_HELP);
    return EXIT.ok;
  }
  try {
    await serve(args, io);
    return EXIT.ok;
  } catch (error) {
    io.err(`onbehalf controller: ${explained(error)}\n`);
    return EXIT.failed;
  }
};

type Log = (event: string, fields: Readonly<Record<string, unknown>>) => void;

async function serve(args: ControllerArguments, io: CliIo): Promise<void> {
  const ending = new AbortController();
  void io.interrupted().then(() => ending.abort());
  const log = logTo(io.out, args.json);
  const client = await createKubeClient({ kubeconfig: args.kubeconfig, fieldManager: MANAGER });
  const running = makeController(args, { client, log, service: await discoveryService(args.discovery) });
  const { healthPort, metricsPort } = args;
  const servers = await startHealthServers({ healthPort, metricsPort, stats: running.stats });
  log('start', { health_port: servers.healthPort, metrics_port: servers.metricsPort });
  running.ready.then(
    () => log('synced', { objects: running.stats().objects }),
    () => {},
  );
  try {
    await running.run(ending.signal);
  } finally {
    ending.abort();
    await servers.close();
    client.close();
  }
  log('stop', {});
}

interface Parts {
  readonly client: KubeClient;
  readonly log: Log;
  readonly service: TokenService | undefined;
}

function makeController(args: ControllerArguments, { client, log, service }: Parts): Controller {
  // Two on one machine are not one.
  const identity = `${hostname()}_${randomUUID()}`;
  const { agentImage, namespaces, concurrency, leaderElect } = args;
  return createController({
    ...{ client, agentImage, namespaces, concurrency, instance: identity },
    listTools: args.publishTools ? createToolLister(service) : undefined,
    async lead(work, signal) {
      const lead = tellingOf(work, { log: (event) => log(event, { identity }), ending: signal });
      if (!leaderElect) return lead(signal);
      const namespace = args.leaseNamespace ?? (await podNamespace()) ?? DEFAULT_NAMESPACE;
      await runAsLeader(
        {
          ...{ client, namespace, name: MANAGER, identity, onLeading: lead },
          onLeader: (leader, self) => self || log('following', { leader }),
          onError: (error) =>
            log('error', { place: `lease ${namespace}/${MANAGER}`, message: messageOf(error) }),
        },
        signal,
      );
    },
    observer: {
      onError: (error, place) => log('error', { place, message: messageOf(error) }),
      onReconcile: ({ key: { kind, namespace, name }, outcome, durationMs }) => {
        const ms = Math.round(durationMs);
        log('reconciled', { kind, object: `${namespace}/${name}`, outcome, ms });
      },
    },
  });
}

async function podNamespace(): Promise<string | undefined> {
  const text = await readFile(POD_NAMESPACE, 'utf8').catch(() => '');
  return text.trim() || undefined;
}

async function discoveryService(given: DiscoveryArguments | undefined): Promise<TokenService | undefined> {
  if (given === undefined) return undefined;
  const { issuer, clientId, clientSecretFile } = given;
  // Told now, and not at the first listing.
  await readFile(clientSecretFile).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`--discovery-client-secret-file ${clientSecretFile} cannot be read (${error.code})`);
  });
  return createTokenService({
    issuer,
    clientId,
    clientAuth: { method: 'client_secret_basic', clientSecret: { file: clientSecretFile } },
  });
}

/** One line for each event: JSON, or for people. */
function logTo(write: (text: string) => void, json: boolean): Log {
  return (event, fields) => {
    const time = new Date().toISOString();
    if (json) return write(`${JSON.stringify({ time, event, ...fields })}\n`);
    const text = Object.entries(fields).map(([name, value]) => `${name}=${shown(value)}`);
    write(`${[time, event, ...text].join(' ')}\n`);
  };
}

/** Quoted where it would read as more than one value. */
function shown(value: unknown): string {
  const text = String(value);
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}

function explained(error: unknown): string {
  const { code, port } = Object(error) as { readonly code?: unknown; readonly port?: unknown };
  if (code === 'EADDRINUSE') {
    return `port ${port} is in use: choose others by --health-port and --metrics-port, or 0 for free ones`;
  }
  return messageOf(error);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

import { parseArgs } from 'node:util';
import { isLoopback } from '../core/secure-url.ts';
import { createDevelopmentSts, type DevelopmentSts, type ExchangeRecord } from '../sts/index.ts';
import { type CliIo, type Command, EXIT } from './io.ts';
import { BUILT_IN_CONFIG, readConfig, type StsConfig } from './sts-config.ts';
import { exchangeLine, STS_HELP, startText } from './sts-text.ts';

interface StsArguments {
  readonly port?: number;
  readonly host?: string;
  readonly config?: string;
  readonly json: boolean;
  readonly help: boolean;
  readonly dangerouslyAllowNonLoopback: boolean;
}

const DEFAULT_PORT = 9400;

/** `onbehalf sts`: runs the development authorization server until it is interrupted. */
export const sts: Command = async (argv, io) => {
  let args: StsArguments;
  try {
    args = parse(argv);
  } catch (error) {
    return refused(io, messageOf(error));
  }
  if (args.help) {
    io.out(STS_HELP);
    return EXIT.ok;
  }
  try {
    const config = args.config === undefined ? BUILT_IN_CONFIG : await readConfig(args.config);
    if (isHostRefused(args, config)) return refused(io, hostMessage(args.host));
    await serve(args, config, io);
    return EXIT.ok;
  } catch (error) {
    io.err(`onbehalf sts: ${messageOf(error)}\n`);
    return EXIT.failed;
  }
};

function refused(io: CliIo, message: string): number {
  io.err(`onbehalf sts: ${message}\nRun "onbehalf sts --help" to see the options.\n`);
  return EXIT.usage;
}

function parse(argv: readonly string[]): StsArguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      port: { type: 'string' },
      host: { type: 'string' },
      config: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
      'dangerously-allow-non-loopback': { type: 'boolean', default: false },
    },
  });
  const { port, host, config, json, help } = values;
  return {
    json,
    help,
    dangerouslyAllowNonLoopback: values['dangerously-allow-non-loopback'],
    ...(port === undefined ? {} : { port: portNumber(port) }),
    ...(host === undefined ? {} : { host }),
    ...(config === undefined ? {} : { config }),
  };
}

function portNumber(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65535) return port;
  throw new Error(`--port must be a number from 0 to 65535, not ${JSON.stringify(text)}`);
}

/** The server refuses such a host too; asked here, so that a wrong argument is told from a failure. */
function isHostRefused({ host, dangerouslyAllowNonLoopback }: StsArguments, config: StsConfig): boolean {
  if (host === undefined || dangerouslyAllowNonLoopback || config.dangerouslyAllowNonLoopback) return false;
  return !isLoopback(host.includes(':') ? `[${host}]` : host);
}

function hostMessage(host = ''): string {
  return (
    `--host must be a loopback address, not ${JSON.stringify(host)}: whoever reaches this server gets a token for any user. ` +
    'If everybody who can reach that address may have them, add --dangerously-allow-non-loopback'
  );
}

async function serve(args: StsArguments, config: StsConfig, io: CliIo): Promise<void> {
  const interrupted = io.interrupted();
  const server = await start(args, config, (record) => {
    io.out(args.json ? jsonLine({ event: 'exchange', ...record }) : exchangeLine(record));
  });
  try {
    io.out(
      args.json
        ? jsonLine(startEvent(server, config))
        : startText(server, config, config === BUILT_IN_CONFIG),
    );
    await interrupted;
  } finally {
    await server.close();
  }
  if (!args.json) io.out('Stopped.\n');
}

async function start(
  args: StsArguments,
  config: StsConfig,
  onExchange: (record: ExchangeRecord) => void,
): Promise<DevelopmentSts> {
  const { port = config.port ?? DEFAULT_PORT, host = config.host } = args;
  const dangerous = args.dangerouslyAllowNonLoopback || config.dangerouslyAllowNonLoopback;
  try {
    return await createDevelopmentSts({
      ...config,
      port,
      onExchange,
      ...(host === undefined ? {} : { host }),
      ...(dangerous === undefined ? {} : { dangerouslyAllowNonLoopback: dangerous }),
    });
  } catch (error) {
    if (error instanceof TypeError && args.config !== undefined) {
      throw new Error(`The configuration ${args.config} is wrong: ${error.message}`, { cause: error });
    }
    const flag = '--dangerously-allow-non-loopback';
    throw new Error(messageOf(error).replace('set dangerouslyAllowNonLoopback', `add ${flag}`), {
      cause: error,
    });
  }
}

/** Secrets stay out, also the built-in ones: what is piped is kept. */
function startEvent(server: DevelopmentSts, config: StsConfig): Record<string, unknown> {
  return {
    event: 'start',
    warning: 'for development only: anyone who reaches this server gets a token for any user',
    issuer: server.issuer,
    token_endpoint: server.tokenEndpoint,
    jwks_uri: server.jwksUri,
    metadata_url: server.metadataUrl,
    clients: config.clients.map(({ clientId, authentication, audiences, scopes = [] }) => {
      return { client_id: clientId, authentication, audiences, scopes };
    }),
    users: config.users?.map(({ sub }) => sub) ?? [],
  };
}

function jsonLine(event: Record<string, unknown>): string {
  return `${JSON.stringify(event)}\n`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

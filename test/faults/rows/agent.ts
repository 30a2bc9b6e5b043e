import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileActor } from '../../../src/core/file-actor.ts';
import { TOKEN_TYPE } from '../../../src/core/token-types.ts';
import { createProjectedVolume, temporaryDirectory } from '../../support/files.ts';
import { seconds } from '../../support/jwt.ts';
import { json } from '../../support/loopback.ts';
import { granting } from '../../support/sts.ts';
import type { Places } from '../places.ts';
import type { FaultRow, Given } from '../row.ts';
import { actorJwt } from '../usual.ts';

const nothingSent = { sts: 0, mcp: 0 } as const;
const noActor = { outcome: 'actor_unavailable unavailable', ...nothingSent } as const;
const noClientAuth = { outcome: 'client_auth_unavailable unavailable', ...nothingSent } as const;

const actor =
  (source: (places: Places) => () => string | Promise<string>) =>
  (places: Places): Given => ({ broker: { actor: source(places), deadlineMs: 250 } });

/** A file with this text, in a directory of its own; `undefined`: there is none. */
async function file(text: string | undefined): Promise<string> {
  const path = join(await temporaryDirectory(), 'token');
  if (text !== undefined) await writeFile(path, text);
  return path;
}

const actorFile =
  (text: (places: Places) => string | undefined) =>
  async (places: Places): Promise<Given> => ({
    broker: { actor: fileActor(await file(text(places)), { tokenType: TOKEN_TYPE.accessToken }) },
  });

/** What can be wrong with the agent's own token. */
const actorRows: readonly FaultRow[] = [
  { fault: 'actor file: missing', ...noActor, given: actorFile(() => undefined) },
  { fault: 'actor file: empty', ...noActor, given: actorFile(() => '') },
  {
    fault: 'actor file: half-written',
    ...noActor,
    given: actorFile(({ secret }) => secret(actorJwt().slice(0, -60))),
  },
  {
    fault: 'actor file: two tokens in it',
    ...noActor,
    given: actorFile(({ secret }) => `${secret(actorJwt())}\n${secret(actorJwt())}\n`),
  },
  {
    fault: 'actor file: a directory',
    ...{ ...noActor, outcome: 'actor_unavailable misconfigured' },
    given: () => ({ broker: { actor: fileActor(tmpdir()) } }),
  },
  {
    fault: 'actor file: its token has expired',
    ...{ ...noActor, outcome: 'actor_expired misconfigured' },
    given: actorFile(({ secret }) => secret(actorJwt({ exp: seconds(Date.now()) - 1 }))),
  },
  {
    fault: 'actor file: half-written, then whole',
    ...{ outcome: ['actor_unavailable unavailable', 'ok'], sts: 1, mcp: 1 },
    given: completedActor,
  },
  {
    fault: 'actor file: rotated by the kubelet',
    ...{ outcome: ['ok', 'ok', 'the new actor token was used'], sts: 2, mcp: 2 },
    given: rotatedActor,
  },
  {
    fault: 'actor source: throws, with a token in the message',
    ...noActor,
    given: actor(({ secret }) => () => {
      throw new Error(`no way for ${secret(actorJwt())}`, { cause: secret(actorJwt()) });
    }),
  },
  {
    fault: 'actor source: never answers',
    ...{ ...noActor, outcome: 'deadline_exceeded unavailable' },
    given: actor(() => () => new Promise(() => {})),
  },
  {
    fault: 'actor source: a token with a line break',
    ...{ ...noActor, outcome: 'actor_unavailable misconfigured' },
    given: actor(
      ({ secret }) =>
        () =>
          `${secret(actorJwt())}\r\nx-admin: yes`,
    ),
  },
  {
    fault: 'actor source: nothing',
    ...{ ...noActor, outcome: 'actor_unavailable misconfigured' },
    given: actor(() => () => undefined as unknown as string),
  },
];

/** What can be wrong with what authenticates the client. */
const clientRows: readonly FaultRow[] = [
  {
    fault: 'client secret file: missing',
    ...noClientAuth,
    given: async () => ({
      service: {
        clientAuth: { method: 'client_secret_post', clientSecret: { file: await file(undefined) } },
      },
    }),
  },
  {
    fault: 'client secret: its function throws the secret',
    ...noClientAuth,
    given: ({ secret }) => ({
      service: {
        clientAuth: {
          method: 'client_secret_basic',
          clientSecret: () => {
            throw new Error(secret('another-unreal-secret-of-the-agent'));
          },
        },
      },
    }),
  },
  {
    fault: 'client secret: rotated at the STS, then in its file',
    ...{ outcome: ['sts_error misconfigured', 'ok'], sts: 2, mcp: 1 },
    given: rotatedSecret,
  },
  {
    fault: 'client key file: half-written',
    ...noClientAuth,
    given: async () => ({
      service: {
        clientAuth: {
          method: 'private_key_jwt',
          privateKey: { file: await file('-----BEGIN PRIVATE KEY-----\nMIGH') },
        },
      },
    }),
  },
  {
    fault: 'client assertion file: its token has expired',
    ...noClientAuth,
    given: async (places) => ({
      service: {
        clientAuth: {
          method: 'client_assertion',
          assertion: { file: await file(places.secret(actorJwt({ exp: 1 }))) },
        },
      },
    }),
  },
];

/** What can be wrong with the agent: its own token, and how it proves to the STS who it is. */
export const agentRows: readonly FaultRow[] = [...actorRows, ...clientRows];

/** A file that is whole by the second call. */
async function completedActor(places: Places): Promise<Given> {
  const path = await file(places.secret(actorJwt().slice(0, -60)));
  return {
    broker: { actor: fileActor(path, { tokenType: TOKEN_TYPE.accessToken }) },
    async play({ call }) {
      await call();
      await writeFile(path, places.secret(actorJwt()));
      await call();
    },
  };
}

/** The kubelet puts a new token in place while the last one is good, and the STS must get the new one in the end. */
async function rotatedActor(places: Places): Promise<Given> {
  const token = (lifetime: number): string =>
    places.secret(actorJwt({ exp: seconds(Date.now()) + lifetime }));
  const volume = await createProjectedVolume({ token: token(400) });
  return {
    broker: { actor: fileActor(volume.path('token')), refreshAhead: false },
    async play({ call, note }) {
      await call();
      const next = token(800);
      await volume.project({ token: next });
      places.pass(395_000);
      await call();
      const used = places.sts.received.at(-1)?.form.get('actor_token');
      note(used === next ? 'the new actor token was used' : 'the old actor token was used');
    },
  };
}

/** The STS takes the new secret only, and the file has it by the second call. */
async function rotatedSecret(places: Places): Promise<Given> {
  const before = places.secret('first-unreal-secret-of-the-agent');
  const after = places.secret('second-unreal-secret-of-the-agent');
  const path = await file(before);
  const grant = granting();
  places.sts.handle((request, response) => {
    if (request.form.get('client_secret') === after) grant(request, response);
    else json(response, { error: 'invalid_client' }, { status: 401 });
  });
  return {
    service: { clientAuth: { method: 'client_secret_post', clientSecret: { file: path } } },
    broker: { refusalTtlMs: 0 },
    async play({ call }) {
      await call();
      await writeFile(path, after);
      await call();
    },
  };
}

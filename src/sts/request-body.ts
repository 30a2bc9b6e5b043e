import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { KoaContextWithOIDC } from 'oidc-provider';

/** More than the 56 KiB that oidc-provider reads, so that its own limit answers first where it can. */
const LIMIT = 64 * 1024;

/** Reads a request body of at most 64 KiB; undefined when it is longer. */
export async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    length += (chunk as Buffer).length;
    if (length > LIMIT) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

/**
 * Reads a form body and puts a stream of the same bytes in its place. oidc-provider wants to read the body
 * itself and warns on the console about one that was parsed before; it touches nothing of `ctx.req` but the
 * stream (Koa takes method, headers and socket from `ctx.request.req`).
 */
export async function peekForm(ctx: KoaContextWithOIDC): Promise<URLSearchParams | undefined> {
  const body = await readBody(ctx.req);
  if (body === undefined) return undefined;
  ctx.req = Readable.from([body], { objectMode: false }) as IncomingMessage;
  return new URLSearchParams(body.toString('utf8'));
}

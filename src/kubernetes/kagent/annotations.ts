import * as z from 'zod';
import { problemsOf } from '../../config/read-config.ts';
import { GROUP } from '../api/meta.ts';
import { exactlyOneOf } from '../api/rules.ts';
import { TARGET_FIELDS, type TargetFields } from '../api/target.ts';
import { isObject, type JsonObject, member, objectOf } from './json.ts';
import { annotationSpot } from './service.ts';
import { complain, firstByPath, inner, remember, type Spot } from './spot.ts';

/** On a server or an agent: the one audience of tokens for it. */
export const AUDIENCE: string = `${GROUP}/sts-audience`;
/** On a server or an agent: `tokenExchange` for it, as JSON. */
export const TOKEN_EXCHANGE: string = `${GROUP}/token-exchange`;
/** On a server or an agent that has no https: `true` lets tokens go there in clear text. */
export const INSECURE: string = `${GROUP}/dangerously-allow-insecure-http`;
/** On an agent: `authentication`, how its callers are known, as JSON. */
export const AUTHENTICATION: string = `${GROUP}/authentication`;
/** On an agent: by name of one of its tools, what tokens for that tool are for, as JSON. */
export const TOOL_TARGETS: string = `${GROUP}/tool-targets`;

/** The controller's, on the Services that it makes: they say nothing of a server. */
const CONTROLLERS = [`${GROUP}/applied`, `${GROUP}/config-hash`];
const ONE = exactlyOneOf('stsAudience', 'tokenExchange');
const audience = TARGET_FIELDS.stsAudience.unwrap();
const tokenExchange = TARGET_FIELDS.tokenExchange.unwrap();
const target: z.ZodType<TargetFields> = z
  .strictObject(TARGET_FIELDS)
  .refine(ONE.holds, { message: ONE.message });

/** Whether an object has an annotation of this group. */
export function hasOwnAnnotation(object: JsonObject): boolean {
  return ownAnnotations(object).length > 0;
}

function ownAnnotations(object: JsonObject): readonly string[] {
  const own = Object.keys(annotationsOf(object)).filter((name) => name.startsWith(`${GROUP}/`));
  return own.filter((name) => !CONTROLLERS.includes(name));
}

/** Complains of annotations that look like ours and mean nothing: a slip would cost a server its token. */
export function checkAnnotations(object: JsonObject, known: readonly string[], spot: Spot): void {
  for (const name of ownAnnotations(object)) {
    if (known.includes(name)) continue;
    const message = `is no annotation that means something here; there are: ${known.join(', ')}`;
    complain(annotationSpot(spot, name), 'Invalid', message);
  }
}

/** What the annotations of a server or agent say tokens for it are for; `undefined`: nothing, or wrong. */
export function annotatedTarget(object: JsonObject, spot: Spot): TargetFields | undefined {
  const annotations = annotationsOf(object);
  const short = member(annotations, AUDIENCE);
  const long = member(annotations, TOKEN_EXCHANGE);
  if (short !== undefined && long !== undefined) {
    complain(annotationSpot(spot, TOKEN_EXCHANGE), 'Invalid', `give this or ${AUDIENCE}, not both`);
    return undefined;
  }
  if (short !== undefined) {
    const stsAudience = checked(audience, short, annotationSpot(spot, AUDIENCE));
    return stsAudience === undefined ? undefined : { stsAudience };
  }
  if (long === undefined) return undefined;
  const there = annotationSpot(spot, TOKEN_EXCHANGE);
  const fields = objectOfText(long, there);
  const exchange = fields === undefined ? undefined : checked(tokenExchange, fields, there);
  return exchange === undefined ? undefined : { tokenExchange: exchange };
}

/** Whether the annotations of a server or agent let tokens go there without https. */
export function allowsInsecureHttp(object: JsonObject, spot: Spot): boolean {
  const given = member(annotationsOf(object), INSECURE);
  if (given !== undefined && given !== 'true' && given !== 'false') {
    complain(annotationSpot(spot, INSECURE), 'Invalid', 'must be "true" or "false"');
  }
  return given === 'true';
}

/** What the annotation of an agent says of its callers; whether that is right, the schema of the agent says. */
export function annotatedAuthentication(object: JsonObject, spot: Spot): JsonObject | undefined {
  const given = member(annotationsOf(object), AUTHENTICATION);
  if (given === undefined) return undefined;
  const there = annotationSpot(spot, AUTHENTICATION);
  remember({ ...there, to: ['spec', 'authentication'] });
  return objectOfText(given, there);
}

/** By the name of a tool, what the annotation of the agent says of it. */
export function annotatedTools(object: JsonObject, spot: Spot): readonly (readonly [string, TargetFields])[] {
  const given = member(annotationsOf(object), TOOL_TARGETS);
  if (given === undefined) return [];
  const there = annotationSpot(spot, TOOL_TARGETS);
  return Object.entries(objectOfText(given, there) ?? {}).flatMap(([tool, value]) => {
    const at = inner(there, [tool]);
    const fields = typeof value === 'string' ? { stsAudience: value } : value;
    const read = checked(target, fields, at);
    return read === undefined ? [] : [[tool, read] as const];
  });
}

function annotationsOf(object: JsonObject): JsonObject {
  return objectOf(objectOf(object.metadata).annotations);
}

function checked<T>(schema: z.ZodType<T>, value: unknown, spot: Spot): T | undefined {
  const result = schema.safeParse(value, { reportInput: false });
  if (result.success) return result.data;
  for (const [path, message] of firstByPath(problemsOf(result.error))) {
    complain(spot, 'Invalid', path === '' ? message : `${path}: ${message}`);
  }
  return undefined;
}

function objectOfText(text: unknown, spot: Spot): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(String(text));
    if (typeof text === 'string' && isObject(value)) return value;
  } catch {
    // What is wrong with it would repeat a part of it, which may be anything.
  }
  complain(spot, 'Invalid', 'must be the text of a JSON object');
  return undefined;
}

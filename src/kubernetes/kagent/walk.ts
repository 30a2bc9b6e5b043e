import type { Fate, Fields } from './fields.ts';
import { isNothing, isObject, type JsonObject } from './json.ts';
import { complain, inner, remember, type Spot, warn } from './spot.ts';

/**
 * Goes through an object of kagent by the table of its fields. What the table does not know is a problem: whether it
 * restricts anything cannot be told.
 *
 * @returns the object here; whether it is right, its schema says
 */
export function walk(value: JsonObject, fields: Fields, spot: Spot): JsonObject {
  const entries: (readonly [string, unknown])[] = [];
  for (const [name, given] of Object.entries(value)) {
    // The API server takes null for a field that was not given.
    if (given === null || given === undefined) continue;
    const fate = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (fate === undefined) {
      complain(inner(spot, [name]), 'Unsupported', UNKNOWN);
    } else {
      entries.push(...walkField({ name, given, fate }, spot));
    }
  }
  return Object.fromEntries(entries);
}

const UNKNOWN =
  'is no field of kagent v1alpha2 that is known here, so nobody can tell what would be lost without it: remove it';

interface Field {
  readonly name: string;
  readonly given: unknown;
  readonly fate: Fate;
}

/** The members that a field becomes. */
function walkField({ name, given, fate }: Field, spot: Spot): readonly (readonly [string, unknown])[] {
  const here = inner(spot, [name]);
  if (fate.fate === 'warned' || fate.fate === 'refused') {
    if (isNothing(given) || fate.unless?.(given)) return [];
    if (fate.fate === 'warned') warn(here, fate.why);
    else complain(here, 'Unsupported', fate.why);
    return [];
  }
  if (fate.fate === 'mapped') {
    const there = inner(spot, [name], [fate.to ?? name]);
    const value = fate.convert === undefined ? given : fate.convert(given, there);
    if (value === undefined) return [];
    remember(there);
    return [[fate.to ?? name, value]];
  }
  if (fate.fate === 'left') return [];
  if (fate.as === 'list') return [[name, walkList(given, fate.fields, here)]];
  const there = fate.as === 'parent' ? inner(spot, [name], []) : here;
  const made = walkObject(given, fate.fields, there);
  return fate.as === 'parent' ? Object.entries(made) : [[name, made]];
}

/** As {@link walk}, of what may be no object. */
export function walkObject(given: unknown, fields: Fields, spot: Spot): JsonObject {
  if (isObject(given)) return walk(given, fields, spot);
  complain(spot, 'Invalid', 'must be an object');
  return {};
}

function walkList(given: unknown, fields: Fields, spot: Spot): readonly JsonObject[] {
  if (Array.isArray(given)) {
    return given.map((item, index) => walkObject(item, fields, inner(spot, [index])));
  }
  complain(spot, 'Invalid', 'must be a list');
  return [];
}

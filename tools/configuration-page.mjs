// @ts-check
/**
 * `npm run configuration`: writes schema/config.schema.json and docs/configuration.md, both from the schema of src/config.
 * dist/ must be built. What the page says beside the fields is tools/configuration/*.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** @typedef {import('../src/config/json-schema.ts').JsonSchema} JsonSchema */
/** @typedef {import('../src/config/json-schema.ts').ConfigField} ConfigField */

export const SCHEMA_FILE = 'schema/config.schema.json';
export const PAGE_FILE = 'docs/configuration.md';

/** Which fields are told of under which title; the first that fits has a field. */
const SECTIONS = /** @type {const} */ ([
  { title: 'The root', fits: /^[^.[]+$/ },
  { title: 'The model', fits: /^model\./ },
  { title: 'MCP servers', fits: /^http_tools\[\]\./, intro: '`sse_tools[]` has the same fields.' },
  { title: 'Remote agents', fits: /^remote_agents\[\]\./ },
  { title: 'Token services', fits: /^token_exchange\./ },
  { title: 'Callers', fits: /^authentication\./ },
  { title: 'Memory', fits: /^memory\./ },
]);

/**
 * @param {JsonSchema} schema
 * @returns {string} the file of the schema
 */
export function schemaText(schema) {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

/**
 * @param {readonly ConfigField[]} fields
 * @returns {string} the page, in Markdown
 */
export function configurationPage(fields) {
  // Of the two lists of servers, which have one schema, one is shown.
  const left = fields.filter(({ path }) => !path.startsWith('sse_tools[]'));
  const lost = left.filter(({ path }) => !SECTIONS.some(({ fits }) => fits.test(path)));
  if (lost.length > 0) throw new Error(`no section has ${lost.map(({ path }) => path).join(', ')}`);
  const sections = SECTIONS.map((section) => {
    const its = left.filter(({ path }) => SECTIONS.find(({ fits }) => fits.test(path)) === section);
    return [
      `## ${section.title}\n`,
      ...('intro' in section ? [`${section.intro}\n`] : []),
      '| Field | Type | Default | What it means | Example |',
      '|---|---|---|---|---|',
      ...its.map(row),
      '',
    ].join('\n');
  });
  return [handWritten('before'), ...sections, handWritten('after')].join('\n');
}

/**
 * @param {ConfigField} field
 * @returns {string}
 */
function row({ path, schema, isRequired }) {
  const { description = '', examples: [example] = [] } = schema;
  // A sentence may hold a dot, in a name such as "a.b" or a number.
  const said = /\s*Default: (.*?)\.(?=\s|$)/.exec(description);
  const meaning = said ? description.replace(said[0], '') : description;
  const cells = [
    code(path),
    typeOf(schema),
    defaultOf(schema, isRequired, said?.[1]),
    meaning,
    example === undefined ? '' : code(JSON.stringify(example)),
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
}

/**
 * @param {JsonSchema} schema
 * @param {boolean} isRequired
 * @param {string | undefined} said
 * @returns {string}
 */
function defaultOf(schema, isRequired, said) {
  if (isRequired) return 'required';
  if (schema.default !== undefined) return code(JSON.stringify(schema.default));
  if (said !== undefined) return said;
  return typeOf(schema).startsWith('boolean') ? code('false') : '';
}

/**
 * @param {JsonSchema} schema
 * @returns {string} e.g. `list of strings, or null`
 */
function typeOf(schema) {
  const { type, anyOf, enum: values, items } = schema;
  if (type === undefined) return anyOf?.map(typeOf).join(', or ') ?? 'any';
  if (typeof type !== 'string') return type.join(', or ');
  if (values) return values.map((value) => code(String(value))).join(', ');
  if (type === 'array') return items?.type === 'string' ? 'list of strings' : 'list';
  return type + bounds(schema);
}

/**
 * @param {JsonSchema} schema
 * @returns {string}
 */
function bounds({ minimum, maximum, exclusiveMinimum }) {
  const most = maximum === Number.MAX_SAFE_INTEGER ? undefined : maximum;
  return [
    ...(minimum === undefined ? [] : [`, from ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`, above ${exclusiveMinimum}`]),
    ...(most === undefined ? [] : [`, to ${most}`]),
  ].join('');
}

/**
 * @param {string} text
 * @returns {string}
 */
function code(text) {
  return `\`${text}\``;
}

/**
 * @param {string} name
 * @returns {string}
 */
function handWritten(name) {
  return readFileSync(new URL(`configuration/${name}.md`, import.meta.url), 'utf8');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const built = new URL('../dist/config/json-schema.js', import.meta.url).href;
  const { configFields, configJsonSchema } = await import(built);
  const schema = configJsonSchema();
  writeFileSync(SCHEMA_FILE, schemaText(schema));
  writeFileSync(PAGE_FILE, configurationPage(configFields(schema)));
}

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { exportEverything, type Metric } from './everything.ts';

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

interface Dashboard {
  readonly schemaVersion: number;
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly query: string | { readonly query: string };
    }[];
  };
  readonly panels: readonly Panel[];
}

const path = new URL('../../deploy/grafana/onbehalf.json', import.meta.url);
const dashboard: Dashboard = JSON.parse(readFileSync(path, 'utf8'));
const queries = dashboard.panels.flatMap(({ targets = [] }) => targets);
const definitions = dashboard.templating.list.flatMap(({ query }) =>
  typeof query === 'string' ? [] : query.query,
);

const underscored = (name: string): string => name.replace(/[^a-zA-Z0-9_]/g, '_');

/**
 * Names that Prometheus gives a metric that comes by OTLP (OpenTelemetry specification, Prometheus and OpenMetrics
 * compatibility): a known unit becomes a suffix, one in braces none, `1` none but for gauges, and we have none.
 */
function prometheusNames({ name, unit, kind }: Metric): readonly string[] {
  const withUnit = `${underscored(name)}${unit === 's' ? '_seconds' : ''}`;
  if (kind === 'histogram') return ['bucket', 'count', 'sum'].map((suffix) => `${withUnit}_${suffix}`);
  return [kind === 'counter' ? `${withUnit}_total` : withUnit];
}

/** Each `metric{matchers}` of an expression. */
function selectors(expr: string): readonly { readonly name: string; readonly matchers: string }[] {
  return [...expr.matchAll(/([a-zA-Z_:][\w:]*)\{([^}]*)\}/g)].map(([, name = '', matchers = '']) => ({
    name,
    matchers,
  }));
}

/** What is left of an expression when all that is no name of a metric is taken out. */
function bareNames(expr: string): readonly string[] {
  const rest = expr
    .replace(/"[^"]*"/g, '')
    .replace(/\{[^}]*\}/g, '')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\b(?:by|without|on|ignoring)\s*\([^)]*\)/g, '')
    .replace(/\b(?:or|and|unless)\b/g, '')
    .replace(/[a-z_]+\s*(?=\()/g, '');
  return rest.match(/[a-zA-Z_:][\w:]*/g) ?? [];
}

async function byPrometheusName(): Promise<ReadonlyMap<string, Metric>> {
  const { metrics } = await exportEverything();
  return new Map(metrics.flatMap((metric) => prometheusNames(metric).map((name) => [name, metric])));
}

test('the dashboard reads no metric that does not exist', async () => {
  const known = await byPrometheusName();
  const read = queries.flatMap(({ expr }) => bareNames(expr));
  const listed = definitions.map((definition) => /^label_values\((\w+)[{,]/.exec(definition)?.[1]);
  expect(read.length).toBeGreaterThan(queries.length - 1);
  expect(listed.length).toBe(2);
  expect([...read, ...listed].filter((name) => !known.has(name ?? ''))).toEqual([]);
});

test('the dashboard shows every metric that there is', async () => {
  const { metrics } = await exportEverything();
  const read = new Set(queries.flatMap(({ expr }) => bareNames(expr)));
  const unread = metrics.filter((metric) => !prometheusNames(metric).some((name) => read.has(name)));
  expect(unread.map(({ name }) => name)).toEqual([]);
  expect(metrics.length).toBe(6);
});

test('each label that a panel selects, groups or shows by is of its metrics, and so is each value', async () => {
  const known = await byPrometheusName();
  const wrong: string[] = [];
  for (const { expr, legendFormat } of queries) {
    const read = selectors(expr).map(({ name, matchers }) => {
      const attributes = known.get(name)?.attributes ?? new Map<string, ReadonlySet<string>>();
      const labels = new Map([...attributes].map(([label, values]) => [underscored(label), values]));
      for (const [, label = '', value = ''] of matchers.matchAll(/(\w+)\s*=~?\s*"([^"]*)"/g)) {
        const used = value.startsWith('$') ? [] : value.split('|');
        if (label === 'job') continue;
        if (!labels.has(label)) wrong.push(`${name} has no ${label}`);
        wrong.push(...used.filter((one) => !labels.get(label)?.has(one)).map((one) => `${label}: no ${one}`));
      }
      return labels;
    });
    const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/));
    const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label);
    for (const label of [...grouped, ...shown].filter((one) => one !== 'le')) {
      if (!read.every((labels) => labels.has(label))) wrong.push(`no ${label} in ${expr}`);
    }
    wrong.push(...shown.filter((label) => !grouped.includes(label)).map((label) => `${label} is not kept`));
  }
  expect(wrong).toEqual([]);
});

test('every query has its data source by a variable, and the variables that it uses exist', () => {
  const names = dashboard.templating.list.map(({ name }) => `$${name}`);
  const builtIn = ['$__rate_interval'];
  const texts = [...queries.map(({ expr }) => expr), ...definitions];
  const used = texts.flatMap((text) => text.match(/\$\w+/g) ?? []);
  expect(used.filter((name) => ![...names, ...builtIn].includes(name))).toEqual([]);
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');
  for (const { datasource, targets } of panels) {
    expect(datasource?.uid).toMatch(/^\$\{datasource\}$/);
    expect(targets).not.toEqual([]);
  }
  expect(dashboard.templating.list.find(({ name }) => name === 'datasource')?.type).toBe('datasource');
  expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39);
});

test('panels have ids of their own and do not lie upon each other', () => {
  const { panels } = dashboard;
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)}/${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true);
});

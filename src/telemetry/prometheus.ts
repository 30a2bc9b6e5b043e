/** One metric of the text format of Prometheus. */
export interface Metric {
  /** Without the prefix: `runs_total`. */
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  /** A number; or numbers by the value of one label. */
  readonly value: number | { readonly label: string; readonly values: Readonly<Record<string, number>> };
}

/** A value that goes up and down. */
export function gauge(name: string, help: string, value: Metric['value']): Metric {
  return { name, type: 'gauge', help, value };
}

/** A value that only grows; its name ends in `_total`. */
export function counter(name: string, help: string, value: Metric['value']): Metric {
  return { name, type: 'counter', help, value };
}

/** Media type of the text format, with its version. */
export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/**
 * Metrics in the text format of Prometheus.
 *
 * @param prefix - of every name, e.g. `onbehalf_agent`
 */
export function prometheusText(prefix: string, metrics: readonly Metric[]): string {
  const lines = metrics.flatMap(({ name, type, help, value }) => {
    const full = `${prefix}_${name}`;
    return [`# HELP ${full} ${help}`, `# TYPE ${full} ${type}`, ...samples(value).map((one) => full + one)];
  });
  return `${lines.join('\n')}\n`;
}

function samples(value: Metric['value']): readonly string[] {
  if (typeof value === 'number') return [` ${value}`];
  const { label, values } = value;
  return Object.entries(values).map(([name, number]) => `{${label}=${JSON.stringify(name)}} ${number}`);
}

import { join } from 'node:path';
import { type KubeProcess, lastingPort, startKubeProcess } from './kube-process.ts';

/** The store of a control plane. It keeps nothing longer than it runs. */
export interface Etcd {
  readonly url: string;
  readonly process: KubeProcess;
  /** Makes a write that is no object of Kubernetes: whoever knew the newest revision does so no longer. */
  touch(): Promise<void>;
  /** Forgets all revisions but the newest. */
  compact(): Promise<void>;
}

/**
 * @param program - path of etcd
 * @param folder - the control plane's; removed when etcd has ended
 */
export async function startEtcd(program: string, folder: string): Promise<Etcd> {
  const url = `http://127.0.0.1:${await lastingPort()}`;
  // It has no peers, and a port of their own only because it insists.
  const peers = `http://127.0.0.1:${await lastingPort()}`;
  const settings: Readonly<Record<string, string>> = {
    'data-dir': join(folder, 'etcd'),
    'listen-client-urls': url,
    'advertise-client-urls': url,
    'listen-peer-urls': peers,
    'initial-advertise-peer-urls': peers,
    'initial-cluster': `default=${peers}`,
    'unsafe-no-fsync': 'true',
  };
  const flags = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const process = await startKubeProcess([program, ...flags], {
    ready: /ready to serve client requests/,
    pidFile: join(folder, 'etcd.pid'),
    folder,
  });
  const call = async (path: string, body: object): Promise<Revised> => {
    const response = await fetch(`${url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) });
    if (!response.ok)
      throw new Error(`etcd answers ${path} with ${response.status}: ${await response.text()}`);
    return (await response.json()) as Revised;
  };
  const base64 = (value: string): string => Buffer.from(value).toString('base64');
  return {
    url,
    process,
    async touch() {
      await call('kv/put', { key: base64('/onbehalf-test'), value: base64(String(Date.now())) });
    },
    async compact() {
      const { header } = await call('maintenance/status', {});
      await call('kv/compaction', { revision: header.revision, physical: true });
    },
  };
}

interface Revised {
  readonly header: { readonly revision: string };
}

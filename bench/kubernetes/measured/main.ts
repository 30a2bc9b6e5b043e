// Run as it is written by a Node 24, at the root of the repository: prints one line of JSON. The controller itself runs on the
// Node of the PATH.
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type ControlPlane, startControlPlane } from '../../../test/interop/support/kube-control-plane.ts';
import type { Measurements } from '../measurements.ts';
import { difference, writesOf } from './api-server.ts';
import { startController } from './controller.ts';
import { changeServer, fillWorld, problemsOf } from './world.ts';

const STEADY_MS = 60_000;
const CRDS = 'deploy/crds';

const say = (text: string): void => console.error(text);

async function measure(plane: ControlPlane): Promise<Measurements> {
  await install(plane);
  say('making 200 servers and 1,000 agents');
  await fillWorld(plane);
  const account = { namespace: 'onbehalf-system', serviceAccount: 'onbehalf-controller' };
  const { path } = await plane.kubeconfigFor(account);

  say('a controller that finds them all');
  const empty = await writesOf(plane);
  const began = Date.now();
  const first = await startController(path);
  const convergeMs = (await first.idle()) - began;
  const converged = await writesOf(plane);
  const problems = await problemsOf(plane);

  say('a minute in which nothing changes');
  const reconciledBefore = await first.metric('reconciles_total');
  await wait(STEADY_MS);
  const steady = await writesOf(plane);
  const steadyReconciles = (await first.metric('reconciles_total')) - reconciledBefore;

  say('another audience for one server');
  const beforeChange = await first.metric('reconciles_total');
  await changeServer(plane);
  await first.idle();
  const changed = await writesOf(plane);
  const changeReconciles = (await first.metric('reconciles_total')) - beforeChange;
  const peakBytes = await first.peakMemory();
  await first.stop();

  say('the controller again');
  const restarted = Date.now();
  const second = await startController(path);
  const restartMs = (await second.idle()) - restarted;
  const after = await writesOf(plane);
  await second.stop();
  return {
    ...{ convergeMs, problems, peakBytes, steadyReconciles, changeReconciles, restartMs },
    convergeWrites: difference(empty, converged),
    steadyWrites: difference(converged, steady),
    // The change itself is a write too, of the bench.
    changeWrites: difference(steady, changed),
    restartWrites: difference(changed, after),
  };
}

async function install(plane: ControlPlane): Promise<void> {
  const { code, stderr } = await plane.kubectl(['apply', '-k', resolve('deploy/overlays/cluster')]);
  if (code !== 0) throw new Error(stderr);
}

const files = (await readdir(CRDS)).filter((name) => name.endsWith('.onbehalf.dev.yaml'));
const crds = await Promise.all(files.map((name) => readFile(join(CRDS, name), 'utf8')));
const plane = await startControlPlane({
  crds,
  controllers: [],
  apiServer: { 'service-cluster-ip-range': '10.96.0.0/16' },
});
try {
  console.log(JSON.stringify(await measure(plane)));
} finally {
  await plane.stop();
}

import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import { boundConnections, oneAtATime } from '../../src/agent/one-at-a-time.ts';
import { configOf, serve, setStage } from './support.ts';

afterEach(() => {
  vi.useRealTimers();
});

const GET = 'GET /.well-known/agent-card.json HTTP/1.1\r\nhost: agent\r\n\r\n';

function open(url: string): Socket {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  return socket.on('error', () => {});
}

test('whoever sends the next request before the answer is there is cut off, and others are not', async () => {
  const stage = await setStage();
  const server = await serve(configOf(stage, []), { adminPort: 0 });
  for (const url of [server.url, server.adminUrl as string]) {
    const greedy = open(url);
    let answers = '';
    greedy.on('data', (chunk: Buffer) => {
      answers += chunk.toString();
    });
    greedy.write(GET.repeat(500));
    await once(greedy, 'close');
    expect(answers.match(/HTTP\/1\.1/g)?.length ?? 0).toBeLessThan(2);
  }

  const polite = open(server.url);
  for (let times = 0; times < 20; times++) {
    polite.write(GET);
    const [answer] = (await once(polite, 'data')) as [Buffer];
    expect(answer.toString()).toContain('200 OK');
  }
  expect(polite.destroyed).toBe(false);
});

test('whoever opens many connections and says nothing loses the oldest of them, and nobody is kept out', async () => {
  let isUnderWay: () => void = () => {};
  const asked = new Promise<void>((resolve) => {
    isUnderWay = resolve;
  });
  const server = createServer(
    oneAtATime((request, response) => {
      if (request.url === '/slow') return isUnderWay();
      response.end('here');
    }),
  );
  boundConnections(server, 3);
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const opened = async (): Promise<Socket> => {
    const connected = once(server, 'connection');
    const socket = open(url);
    await connected;
    return socket;
  };
  const slow = await opened();
  slow.write('GET /slow HTTP/1.1\r\nhost: agent\r\n\r\n');
  await asked;
  const silent = [await opened(), await opened()] as const;
  const gone = once(silent[0], 'close');

  const polite = await opened();
  await gone;
  polite.write(GET);
  const [answer] = (await once(polite, 'data')) as [Buffer];

  expect(answer.toString()).toContain('200 OK');
  expect([slow, silent[1], polite].map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
});

test('an answer that is not read for half a minute is kept no longer', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  let isThere: () => void = () => {};
  const answered = new Promise<void>((resolve) => {
    isThere = resolve;
  });
  const server = createServer(
    oneAtATime((_request, response) => {
      response.end(Buffer.alloc(64 * 2 ** 20));
      isThere();
    }),
  );
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const connected = once(server, 'connection');
  const client = open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  client.pause().write('GET / HTTP/1.1\r\nhost: agent\r\n\r\n');
  const [socket] = (await connected) as [Socket];
  await answered;

  await vi.advanceTimersByTimeAsync(29_000);
  expect(socket.destroyed).toBe(false);
  await vi.advanceTimersByTimeAsync(1_001);
  expect(socket.destroyed).toBe(true);
});

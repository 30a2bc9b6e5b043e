import { createServer, type Socket } from 'node:net';
import type { Places } from '../places.ts';
import type { Given } from '../row.ts';

/** An STS of bare TCP, for what no HTTP server does. `answer` gets the connection when a request has come. */
export async function rawSts(
  places: Places,
  answer: (socket: Socket, request: number) => void,
  service: Given['service'] = {},
): Promise<Given> {
  let requests = 0;
  const server = createServer((socket) => {
    let text = '';
    let answered = false;
    socket.on('data', (chunk) => {
      text += chunk;
      if (answered || !text.includes('grant_type=')) return;
      answered = true;
      requests += 1;
      answer(socket, requests);
    });
  });
  const port = await places.listen(server);
  return {
    service: { tokenEndpoint: `http://127.0.0.1:${port}/token`, ...service },
    exchanges: () => requests,
  };
}

/** Writes text again and again until the other side goes away. */
export function dribble(socket: Socket, text: string): void {
  const timer = setInterval(() => socket.write(text), 10);
  socket.on('close', () => clearInterval(timer));
}

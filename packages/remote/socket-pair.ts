import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { SocketIncoming } from './wire/incoming.ts';

export interface SocketPair {
  /** Reads what is written to the other end. */
  readonly near: SocketIncoming;
  /** For a child; close it here when the child has it. */
  readonly far: net.Socket;
}

/**
 * Two ends of a local socket, made in a folder that nobody else can enter. Node gives a child's output only as a stream
 * of its own making, which cannot read into one buffer.
 * @returns undefined if the system has no room for one: then the stream does
 */
export async function socketPair(): Promise<SocketPair | undefined> {
  let folder: string | undefined;
  let near: SocketIncoming | undefined;
  const server = net.createServer({ pauseOnConnect: true });
  try {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-'));
    const place = path.join(folder, 's');
    server.listen(place);
    await once(server, 'listening');
    const accepted = once(server, 'connection');
    near = new SocketIncoming((onread) => net.connect({ path: place, onread }));
    // Where no descriptor is left for the other end, the system takes the connection and closes it.
    const first = await Promise.race([accepted, once(near.socket, 'close')]);
    const [far] = first;
    if (far instanceof net.Socket) return { near, far };
  } catch {
    // Nothing can be listened to, or connected.
  } finally {
    server.close();
    if (folder !== undefined) fs.rmSync(folder, { recursive: true, force: true });
  }
  near?.socket.destroy();
  return undefined;
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { type SocketPair, socketPair } from './socket-pair.ts';

afterEach(() => vi.unstubAllEnvs());

async function pair(): Promise<SocketPair> {
  const made = await socketPair();
  if (made === undefined) throw new Error('no socket pair');
  return made;
}

test('bytes are read into one buffer, in order, to the end', async () => {
  const { near, far } = await pair();
  const sent = Buffer.alloc(3_000_000, (await import('node:crypto')).randomBytes(65_521));
  const got: Buffer[] = [];
  const behind = new Set<ArrayBufferLike>();
  far.end(sent);
  await near.pour((bytes) => {
    behind.add(bytes.buffer);
    got.push(Buffer.from(bytes));
  });
  expect(Buffer.concat(got).equals(sent)).toBe(true);
  expect(behind.size).toBe(1);
});

test('what came before pouring begins comes first, and one by one it can be kept', async () => {
  const { near, far } = await pair();
  far.write('first');
  const first = await near.next();
  far.write('second');
  await new Promise((resolve) => setTimeout(resolve, 20));
  far.end('third');
  let rest = '';
  await near.pour((bytes) => {
    rest += Buffer.from(bytes).toString();
  });
  expect([Buffer.from(first.value!).toString(), rest]).toEqual(['first', 'secondthird']);
  expect(await near.next()).toEqual({ done: true, value: undefined });
});

test('while nobody asks, no more is read than one buffer', async () => {
  const { near, far } = await pair();
  let isTaken = false;
  far.write(Buffer.alloc(8 << 20), () => {
    isTaken = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(isTaken).toBe(false);
  let bytes = 0;
  for (far.end(); ; ) {
    const { done, value } = await near.next();
    if (done) break;
    bytes += value.length;
  }
  expect(bytes).toBe(8 << 20);
});

test('what the taker throws ends pouring, and the rest is let go', async () => {
  const { near, far } = await pair();
  far.end(Buffer.alloc(1 << 20));
  let calls = 0;
  const failing = near.pour(() => {
    calls++;
    throw new Error('enough');
  });
  await expect(failing).rejects.toThrow('enough');
  expect(await near.next()).toEqual({ done: true, value: undefined });
  expect(calls).toBe(1);
});

test('a child writes to it, and its death is the end', async () => {
  const { near, far } = await pair();
  const child = spawn('sh', ['-c', 'echo hello; kill -9 $$'], { stdio: ['ignore', far, 'inherit'] });
  far.destroy();
  let said = '';
  await near.pour((bytes) => {
    said += Buffer.from(bytes).toString();
  });
  expect(said).toBe('hello\n');
  if (child.signalCode === null) await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
});

test('nothing is left in the folder for temporary files; where it cannot be used there is no pair', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-test-'));
  vi.stubEnv('TMPDIR', folder);
  const { near, far } = await pair();
  expect(fs.readdirSync(folder)).toEqual([]);
  far.destroy();
  near.socket.destroy();
  vi.stubEnv('TMPDIR', path.join(folder, 'missing'));
  expect(await socketPair()).toBeUndefined();
  // A name too long for a socket of the system.
  const deep = path.join(folder, 'x'.repeat(120));
  fs.mkdirSync(deep);
  vi.stubEnv('TMPDIR', deep);
  expect(await socketPair()).toBeUndefined();
  expect(fs.readdirSync(deep)).toEqual([]);
  fs.rmSync(folder, { recursive: true });
});

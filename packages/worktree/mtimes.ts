/**
 * Modification times to the nanosecond. Node hands times to the system as a double of seconds, whose step is 238 ns
 * today, so most times come out up to 120 ns off (measured, Node 24). There is no other call in Node, hence:
 * 1. the double, wherever it happens to be exact or nothing better is there;
 * 2. for the others of a batch, two processes whatever their number: `tar` unpacks empty files that have the exact
 *    times, `cp --attributes-only --preserve=timestamps` hands these on (10,000 files: 0.35 s);
 * 3. for symlinks, and files that may not be opened, `xargs touch -h` (0.9 ms each).
 * Without these tools the times stay as near as a double comes.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

export interface WantedMtime {
  /** A name in the batch's folder, of digits and letters only. */
  readonly name: string;
  readonly mtimeNs: bigint;
}

const NS = 1_000_000_000n;
/** Folder of the reference files, inside the batch's folder. */
const CLOCK = 'clock';

/** Seconds since 1970 as a decimal, nine digits: '-0.000000001'. As a string Node takes times before 1970, as a number not. */
export function secondsText(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  return `${ns < 0n ? '-' : ''}${size / NS}.${(size % NS).toString().padStart(9, '0')}`;
}

/**
 * Gives files of one folder of bk's own (staging) their times. They may be hard links to files elsewhere.
 * @param folder absolute path
 * @returns the names whose file system, or lack of tools, left them with another time
 */
export function setMtimes(folder: string, wanted: readonly WantedMtime[]): string[] {
  for (const { name, mtimeNs } of wanted) {
    const text = secondsText(mtimeNs);
    fs.lutimesSync(path.join(folder, name), text, text);
  }
  let left = wanted.filter((file) => !hasTime(folder, file));
  const plain = left.filter(({ name }) => fs.lstatSync(path.join(folder, name)).isFile());
  if (plain.length > 0 && keepsNanoseconds(folder, plain)) {
    fromReferences(folder, plain);
    left = left.filter((file) => !hasTime(folder, file));
  }
  if (left.length > 0) {
    touch(folder, left);
    left = left.filter((file) => !hasTime(folder, file));
  }
  return left.map(({ name }) => name);
}

function hasTime(folder: string, { name, mtimeNs }: WantedMtime): boolean {
  return fs.lstatSync(path.join(folder, name), { bigint: true }).mtimeNs === mtimeNs;
}

/** On a file system with coarse times there is nothing to gain: the double came out rounded further than a double rounds. */
function keepsNanoseconds(folder: string, files: readonly WantedMtime[]): boolean {
  return files.some(({ name, mtimeNs }) => {
    const off = fs.lstatSync(path.join(folder, name), { bigint: true }).mtimeNs - mtimeNs;
    return off > -1000n && off < 1000n;
  });
}

function fromReferences(folder: string, files: readonly WantedMtime[]): void {
  const clock = path.join(folder, CLOCK);
  fs.rmSync(clock, { recursive: true, force: true });
  fs.mkdirSync(clock, { mode: 0o700 });
  try {
    if (!run('tar', ['-x', '-f', '-', '-C', clock, '--no-same-owner', '--warning=none'], archive(files)))
      return;
    run('cp', ['-R', '-T', '--attributes-only', '--preserve=timestamps', clock, folder]);
  } finally {
    fs.rmSync(clock, { recursive: true, force: true });
  }
}

function touch(folder: string, files: readonly WantedMtime[]): void {
  const words = files.flatMap(({ name, mtimeNs }) => [`@${secondsText(mtimeNs)}`, path.join(folder, name)]);
  run('xargs', ['-0', '-n2', 'touch', '-h', '-d'], Buffer.from(words.join('\0')));
}

function run(program: string, words: readonly string[], input?: Buffer): boolean {
  const env = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C' };
  const result = spawnSync(program, words, {
    env,
    stdio: ['pipe', 'ignore', 'ignore'],
    ...(input && { input }),
  });
  return result.status === 0;
}

/** A tar archive (POSIX 1003.1-2001, pax) of empty files whose extended headers say the times. */
function archive(files: readonly WantedMtime[]): Buffer {
  const blocks: Buffer[] = [];
  for (const { name, mtimeNs } of files) {
    const record = paxRecord('mtime', secondsText(mtimeNs));
    const block = Buffer.alloc(512);
    block.write(record);
    blocks.push(tarHeader('pax', record.length, 'x'), block, tarHeader(name, 0, '0'));
  }
  blocks.push(Buffer.alloc(1024));
  return Buffer.concat(blocks);
}

/** `LENGTH KEY=VALUE\n`, where the length counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return `${length}${rest}`;
}

function tarHeader(name: string, size: number, type: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000600\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write('ustar\u000000', 257);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

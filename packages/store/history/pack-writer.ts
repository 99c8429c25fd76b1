import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { BkError, type GitId } from '@bk/core';
import { fsyncDirectory, writeFully } from '../durable.ts';
import { type CommitFields, formatCommit } from './commit-object.ts';
import { HEADER_ROOM, nameInPlace } from './object-name.ts';
import { ObjectTable } from './object-table.ts';
import { ENTRY } from './pack-entry.ts';
import type { HistoryReader } from './reader.ts';
import { sortTreeEntries, type TreeEntry, treeBound, writeTree } from './tree-object.ts';

const OUTPUT = 4 * 1024 * 1024;
/** Larger bodies (long folders) are compressed; smaller ones are stored: zlib's set-up would cost more than the rest. */
const LARGEST_STORED = 4096;
/** Kind and size, zlib header, block header and Adler-32 around a stored body. */
const FRAME = 32;

export interface PackWriterOptions {
  /** Objects that it finds in the packs it knows are not written again. */
  readonly reader?: HistoryReader;
}

type Kind = 'commit' | 'tree' | 'blob';

/**
 * Writes one pack: objects go through one buffer into a file in `stagingDir`; nothing is visible in the history before
 * `finish`. Equal objects are written once. Memory: 4 MiB, and about 50 bytes an object.
 */
export class PackWriter {
  readonly #historyDir: string;
  readonly #stagingDir: string;
  readonly #reader: HistoryReader | undefined;
  readonly #table = new ObjectTable();
  /** The body of the object at hand, behind room for its header. */
  #body = Buffer.allocUnsafeSlow(HEADER_ROOM + 64 * 1024);
  readonly #output = Buffer.allocUnsafeSlow(OUTPUT);
  /** Bytes in `#output`; the first pack header is part of it. */
  #filled = 12;
  /** Bytes already in the file. */
  #written = 0;
  #fd = -1;
  readonly #temporary: string;
  #closed = false;

  constructor(historyDir: string, stagingDir: string, options: PackWriterOptions = {}) {
    this.#historyDir = historyDir;
    this.#stagingDir = stagingDir;
    this.#reader = options.reader;
    this.#temporary = path.join(stagingDir, `pack-${process.pid}-${crypto.randomUUID()}`);
  }

  /** Objects written so far. */
  get count(): number {
    return this.#table.count;
  }

  addBlob(content: string | Uint8Array): GitId {
    if (typeof content !== 'string') {
      this.#reserve(content.length);
      this.#body.set(content, HEADER_ROOM);
      return this.#add('blob', content.length);
    }
    return this.#addText('blob', content);
  }

  /** Entries in any order. @throws BkError 'bug' for a name twice or one that is none */
  addTree(entries: readonly TreeEntry[]): GitId {
    const sorted = sortTreeEntries(entries);
    this.#reserve(treeBound(sorted));
    return this.#add('tree', writeTree(sorted, this.#body, HEADER_ROOM) - HEADER_ROOM);
  }

  addCommit(fields: CommitFields): GitId {
    return this.#addText('commit', formatCommit(fields));
  }

  #addText(kind: Kind, text: string): GitId {
    const most = text.length * 3;
    this.#reserve(HEADER_ROOM + most <= this.#body.length ? most : Buffer.byteLength(text));
    return this.#add(kind, this.#body.write(text, HEADER_ROOM));
  }

  /**
   * Makes the pack part of the history, durably: pack and index synced, linked under their names (the pack first, so
   * that an index never stands alone), folder synced.
   * @returns the pack's name, or undefined if there was nothing to write
   */
  finish(): { pack: string } | undefined {
    this.#checkOpen();
    if (this.#table.count === 0) {
      this.abort();
      return undefined;
    }
    try {
      const checksum = this.#finishPack();
      this.#writeIndex(this.#table.toIndex(checksum));
      const pack = `pack-${checksum.toString('hex')}`;
      const folder = path.join(this.#historyDir, 'objects', 'pack');
      placeFile(`${this.#temporary}.pack`, path.join(folder, `${pack}.pack`));
      placeFile(`${this.#temporary}.idx`, path.join(folder, `${pack}.idx`));
      fsyncDirectory(folder);
      return { pack };
    } finally {
      this.abort();
    }
  }

  /** Removes what was staged; after `finish` (or twice) it does nothing. */
  abort(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#fd < 0) return;
    fs.closeSync(this.#fd);
    fs.rmSync(`${this.#temporary}.pack`, { force: true });
    fs.rmSync(`${this.#temporary}.idx`, { force: true });
  }

  #checkOpen(): void {
    if (this.#closed) throw new BkError('bug', 'a pack was written to after its end');
  }

  #reserve(size: number): void {
    this.#checkOpen();
    if (HEADER_ROOM + size > this.#body.length)
      this.#body = Buffer.allocUnsafeSlow(HEADER_ROOM + Math.ceil(size * 1.25));
  }

  #add(kind: Kind, size: number): GitId {
    const id = nameInPlace(kind, this.#body, size);
    if (this.#table.has(id) || this.#reader?.hasPacked(id)) return id;
    if (size <= LARGEST_STORED) {
      if (this.#filled + size + FRAME > OUTPUT) this.#flush();
      this.#store(kind, size);
    } else {
      this.#deflate(kind, size);
    }
    return id;
  }

  #store(kind: Kind, size: number): void {
    const output = this.#output;
    const start = this.#filled;
    let at = writeEntryHeader(output, start, ENTRY[kind], size);
    output[at++] = 0x78;
    output[at++] = 0x01;
    output[at++] = 1;
    output[at++] = size & 0xff;
    output[at++] = size >> 8;
    output[at++] = ~size & 0xff;
    output[at++] = (~size >> 8) & 0xff;
    const body = this.#body;
    let a = 1;
    let b = 0;
    // at most 4096 bytes: a and b stay below 2^31 without reducing inside the loop
    for (let i = HEADER_ROOM; i < HEADER_ROOM + size; i++) {
      const byte = body[i]!;
      output[at++] = byte;
      a += byte;
      b += a;
    }
    at = output.writeUInt32BE((b % 65521) * 65536 + (a % 65521), at);
    this.#table.add(this.#written + start, zlib.crc32(output.subarray(start, at)));
    this.#filled = at;
  }

  #deflate(kind: Kind, size: number): void {
    const packed = zlib.deflateSync(this.#body.subarray(HEADER_ROOM, HEADER_ROOM + size));
    if (this.#filled + FRAME > OUTPUT) this.#flush();
    const start = this.#filled;
    const offset = this.#written + start;
    const at = writeEntryHeader(this.#output, start, ENTRY[kind], size);
    const crc = zlib.crc32(packed, zlib.crc32(this.#output.subarray(start, at)));
    this.#filled = at;
    if (at + packed.length > OUTPUT) this.#flush();
    if (packed.length > OUTPUT) {
      writeFully(this.#fd, packed);
      this.#written += packed.length;
    } else {
      packed.copy(this.#output, this.#filled);
      this.#filled += packed.length;
    }
    this.#table.add(offset, crc);
  }

  #flush(): void {
    this.#open();
    writeFully(this.#fd, this.#output.subarray(0, this.#filled));
    this.#written += this.#filled;
    this.#filled = 0;
  }

  #open(): void {
    if (this.#fd >= 0) return;
    const { O_RDWR, O_CREAT, O_EXCL } = fs.constants;
    this.#fd = fs.openSync(`${this.#temporary}.pack`, O_RDWR | O_CREAT | O_EXCL, 0o444);
  }

  /** The header holds the number of objects, known only now: a pack that outgrew the buffer is read once for its checksum. */
  #finishPack(): Buffer {
    const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1');
    header.writeUInt32BE(this.#table.count, 8);
    let checksum: Buffer;
    if (this.#written === 0) {
      header.copy(this.#output);
      checksum = crypto.createHash('sha1').update(this.#output.subarray(0, this.#filled)).digest();
      this.#flush();
    } else {
      this.#flush();
      let done = 0;
      while (done < header.length) done += fs.writeSync(this.#fd, header, done, header.length - done, done);
      checksum = this.#checksumOfFile();
    }
    writeFully(this.#fd, checksum);
    fs.fsyncSync(this.#fd);
    return checksum;
  }

  #checksumOfFile(): Buffer {
    const hash = crypto.createHash('sha1');
    let at = 0;
    while (at < this.#written) {
      const got = fs.readSync(this.#fd, this.#output, 0, Math.min(OUTPUT, this.#written - at), at);
      if (got === 0)
        throw new BkError('io', 'cannot write the history: the staged pack was cut off', {
          path: this.#stagingDir,
        });
      hash.update(this.#output.subarray(0, got));
      at += got;
    }
    return hash.digest();
  }

  #writeIndex(index: Buffer): void {
    const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants;
    const fd = fs.openSync(`${this.#temporary}.idx`, O_WRONLY | O_CREAT | O_EXCL, 0o444);
    try {
      writeFully(fd, index);
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  }
}

function writeEntryHeader(output: Buffer, start: number, type: number, size: number): number {
  let at = start;
  let byte = (type << 4) | (size & 15);
  let rest = Math.floor(size / 16);
  while (rest > 0) {
    output[at++] = byte | 0x80;
    byte = rest & 0x7f;
    rest = Math.floor(rest / 128);
  }
  output[at++] = byte;
  return at;
}

/**
 * Gives a finished file its name. The name says the content, so a file of that name is this one; without hard links
 * (exFAT) it is renamed.
 */
function placeFile(temporary: string, final: string): void {
  try {
    fs.linkSync(temporary, final);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? '';
    if (code === 'EEXIST') {
      if (fs.statSync(final).size === fs.statSync(temporary).size) return;
      throw new BkError('damaged', 'a pack of the history does not have the content its name says', {
        path: final,
        hint: 'run `bk check`',
      });
    }
    if (!['EPERM', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(code)) throw error;
    fs.renameSync(temporary, final);
  }
}

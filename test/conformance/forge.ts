import crypto from 'node:crypto';
import zlib from 'node:zlib';
import {
  type ContentHash,
  EVERYTHING,
  formatRecord,
  formatRepositoryFacts,
  type GitId,
  type ObjectId,
  type Rec,
  subsetHash,
} from '@bk/core';

/** Builds packs by hand, right ones and such as no honest program writes. */
export type Kind = 'commit' | 'tree' | 'blob' | 'tag';

const TYPES: Readonly<Record<Kind, number>> = { commit: 1, tree: 2, blob: 3, tag: 4 };

/** One entry of a pack, as bytes. `size` in the header may lie. */
export interface Entry {
  readonly type: number;
  readonly size: number;
  /** Between header and data: distance or name of a delta's base. */
  readonly between?: Buffer;
  readonly data: Buffer;
}

export function nameOf(kind: Kind, body: Buffer): GitId {
  return crypto.createHash('sha1').update(`${kind} ${body.length}\0`).update(body).digest('hex') as GitId;
}

export function entry(kind: Kind, body: Buffer): Entry {
  return { type: TYPES[kind], size: body.length, data: zlib.deflateSync(body) };
}

export function idDelta(base: GitId, delta: Buffer): Entry {
  return { type: 7, size: delta.length, between: Buffer.from(base, 'hex'), data: zlib.deflateSync(delta) };
}

export function offsetDelta(distance: number, delta: Buffer): Entry {
  const bytes = [distance & 0x7f];
  for (let rest = Math.floor(distance / 128); rest > 0; rest = Math.floor(rest / 128))
    bytes.unshift(0x80 | (--rest & 0x7f));
  return { type: 6, size: delta.length, between: Buffer.from(bytes), data: zlib.deflateSync(delta) };
}

export function headerOf({ type, size }: Pick<Entry, 'type' | 'size'>): Buffer {
  const bytes: number[] = [];
  let byte = (type << 4) | (size & 15);
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.push(byte | 0x80);
    byte = rest & 0x7f;
  }
  return Buffer.from([...bytes, byte]);
}

export interface PackSpec {
  readonly count?: number;
  readonly magic?: string;
  readonly version?: number;
  /** Bytes before the trailer that belong to no entry. */
  readonly extra?: Buffer;
}

export function packOf(entries: readonly Entry[], spec: PackSpec = {}): Buffer {
  const header = Buffer.alloc(12);
  header.write(spec.magic ?? 'PACK', 'latin1');
  header.writeUInt32BE(spec.version ?? 2, 4);
  header.writeUInt32BE(spec.count ?? entries.length, 8);
  const parts = entries.flatMap((one) => [headerOf(one), one.between ?? Buffer.alloc(0), one.data]);
  const body = Buffer.concat([header, ...parts, spec.extra ?? Buffer.alloc(0)]);
  return sealed(body);
}

/** With a right checksum at its end. */
export function sealed(body: Buffer): Buffer {
  return Buffer.concat([body, crypto.createHash('sha1').update(body).digest()]);
}

export function lengthOf(one: Entry): number {
  return headerOf(one).length + (one.between?.length ?? 0) + one.data.length;
}

/** Delta that copies all of its base and adds bytes. */
export function appending(base: Buffer, more: Buffer): Buffer {
  const copy =
    base.length === 0
      ? Buffer.alloc(0)
      : Buffer.from([0xf0 | 0x80, base.length & 255, (base.length >> 8) & 255, base.length >> 16]);
  const insert = more.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([more.length]), more]);
  return Buffer.concat([number(base.length), number(base.length + more.length), copy, insert]);
}

export function number(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return Buffer.from([...bytes, rest]);
}

/** A history under construction: what it was given, in the order given. */
export class Forge {
  readonly entries: Entry[] = [];
  #ids = 0;

  add(kind: Kind, body: Buffer | string): GitId {
    const bytes = Buffer.from(body);
    this.entries.push(entry(kind, bytes));
    return nameOf(kind, bytes);
  }

  record(more: Partial<Rec> = {}): GitId {
    return this.add('blob', formatRecord(this.rec(more)));
  }

  rec(more: Partial<Rec> = {}): Rec {
    const id = `0190a1b2-c3d4-7e5f-8a6b-${String(++this.#ids).padStart(12, '0')}` as ObjectId;
    const blake3 = crypto.hash('sha256', id) as ContentHash;
    return {
      v: 1,
      id,
      type: 'file',
      blake3,
      size: 1,
      mtime: '2026-01-02T03:04:05.000000006Z',
      mode: '0644',
      ...more,
    };
  }

  /** Lines as given: mode, name, id; in the order given. */
  tree(...lines: readonly (readonly [mode: string, name: string | Buffer, id: GitId])[]): GitId {
    return this.add('tree', treeBody(lines));
  }

  commit(tree: GitId, parents: readonly GitId[] = [], message = 'x\n'): GitId {
    return this.add('commit', commitText(tree, parents, message));
  }
}

export function treeBody(lines: readonly (readonly [string, string | Buffer, GitId])[]): Buffer {
  return Buffer.concat(
    lines.flatMap(([mode, name, id]) => [
      Buffer.from(`${mode} `),
      Buffer.from(name),
      Buffer.from([0]),
      Buffer.from(id, 'hex'),
    ]),
  );
}

export const WHO = 'Ann <ann@home> 1800000000 +0100';

export function commitText(tree: string, parents: readonly string[] = [], message = 'x\n'): string {
  return [
    `tree ${tree}`,
    ...parents.map((id) => `parent ${id}`),
    `author ${WHO}`,
    `committer ${WHO}`,
    '',
    message,
  ].join('\n');
}

/** What a repository says of itself in its presence. */
export function factsOf(id: string): string {
  const subset = { ...EVERYTHING, hash: subsetHash(EVERYTHING) };
  const time = '2026-01-02T03:04:05.000000006Z';
  return formatRepositoryFacts({ v: 1, id, name: 'other', volume: 'v', subset, kind: 'folder', time });
}

import crypto from 'node:crypto';
import zlib from 'node:zlib';
import { BkError, type GitId, PRESENT_TREE, REPOSITORY_FILE } from '@bk/core';
import { formatCommit } from './commit-object.ts';
import { namesKnown } from './moved-trees.ts';
import { ENTRY } from './pack-entry.ts';
import type { HistoryReader } from './reader.ts';
import { type TreeEntry, treeBound, writeTree } from './tree-object.ts';

type Kind = 'commit' | 'tree' | 'blob';

const KINDS: readonly Kind[] = ['commit', 'tree', 'blob'];

/** Names of objects with their kinds, 21 bytes each. */
export class ObjectList {
  count = 0;
  #bytes = Buffer.allocUnsafe(1024 * 21);

  add(kind: Kind, id: GitId): void {
    const at = this.count++ * 21;
    if (at === this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes, Buffer.allocUnsafe(this.#bytes.length)]);
    this.#bytes[at] = KINDS.indexOf(kind);
    this.#bytes.write(id, at + 1, 20, 'hex');
  }

  *[Symbol.iterator](): Generator<{ readonly kind: Kind; readonly id: GitId }> {
    for (let at = 0; at < this.count * 21; at += 21) {
      const id = this.#bytes.toString('hex', at + 1, at + 21) as GitId;
      yield { kind: KINDS[this.#bytes[at]!]!, id };
    }
  }
}

/**
 * Every object that can be reached from `wants` and is not known to whoever has `haves` and all that they need: commits
 * first (parents before children), then trees and records. Haves that are not here say nothing. Trees are compared with
 * those of the parents, so the cost follows the change; a subtree that was moved is known by its name. What came back
 * after it was gone for some commits may be sent again.
 * @throws BkError 'not-found' if a want is not here
 */
export function missingObjects(
  reader: HistoryReader,
  wants: readonly GitId[],
  haves: readonly GitId[],
): ObjectList {
  for (const want of wants) {
    if (!reader.has(want)) throw new BkError('not-found', `there is no commit ${want} here`);
  }
  const known = ancestry(
    reader,
    haves.filter((id) => reader.has(id)),
  );
  const commits = newCommits(reader, wants, known);
  const found = new ObjectList();
  for (const { id } of commits) found.add('commit', id);
  new Difference(reader, found, new Set(known.values())).run(
    commits,
    haves.map((id) => known.get(id)),
  );
  return found;
}

interface NewCommit {
  readonly id: GitId;
  readonly tree: GitId;
  /** Trees of its parents. */
  readonly before: readonly GitId[];
}

/** These commits and all before them, with their trees. */
function ancestry(reader: HistoryReader, starts: readonly GitId[]): Map<GitId, GitId> {
  const trees = new Map<GitId, GitId>();
  const waiting = [...starts];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (trees.has(id)) continue;
    const { tree, parents } = reader.readCommit(id);
    trees.set(id, tree);
    waiting.push(...parents);
  }
  return trees;
}

/** Parents come before their children. */
function newCommits(
  reader: HistoryReader,
  wants: readonly GitId[],
  known: ReadonlyMap<GitId, GitId>,
): NewCommit[] {
  const done = new Map<GitId, GitId>();
  const result: NewCommit[] = [];
  const stack = wants.map((id) => ({
    id,
    commit: undefined as ReturnType<HistoryReader['readCommit']> | undefined,
  }));
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    if (done.has(top.id) || known.has(top.id)) stack.pop();
    else if (top.commit === undefined) {
      top.commit = reader.readCommit(top.id);
      for (const id of top.commit.parents) stack.push({ id, commit: undefined });
    } else {
      const { id, tree, parents } = top.commit;
      done.set(id, tree);
      result.push({ id, tree, before: parents.map((parent) => done.get(parent) ?? known.get(parent)!) });
      stack.pop();
    }
  }
  return result;
}

/** Tells for one commit after the other which trees and records are new. */
class Difference {
  readonly #reader: HistoryReader;
  readonly #found: ObjectList;
  /** Objects that the other side has or will have by then; of trees, with all below them. */
  readonly #there: Set<GitId>;

  constructor(reader: HistoryReader, found: ObjectList, there: Set<GitId>) {
    this.#reader = reader;
    this.#found = found;
    this.#there = there;
  }

  run(commits: readonly NewCommit[], heads: readonly (GitId | undefined)[]): void {
    const isPresence = ({ tree }: NewCommit): boolean => presentOf(this.#reader.readTree(tree)) !== undefined;
    const [presences, others] = partition(commits, isPresence);
    for (const { tree, before } of others) this.#next(tree, before);
    // What is present somewhere is mostly what a history has: its heads are looked at too.
    const tips = [...heads.filter((tree) => tree !== undefined), ...others.slice(-1).map(({ tree }) => tree)];
    for (const { tree, before } of presences) {
      const present = presentOf(this.#reader.readTree(tree));
      const earlier = before.flatMap((old) => presentOf(this.#reader.readTree(old)) ?? []);
      if (present !== undefined) this.#next(present, [...earlier, ...tips]);
      this.#next(tree, before);
    }
  }

  #next(tree: GitId, before: readonly GitId[]): void {
    if (this.#there.has(tree)) return;
    this.#learn(tree, before);
    this.#send(tree);
  }

  /** Notes what the old trees have wherever they differ from the new one, and what was taken away as a whole. */
  #learn(tree: GitId, before: readonly GitId[]): void {
    const [only, ...more] = before;
    if (only !== undefined && more.length === 0) {
      namesKnown(this.#reader, only, tree, (id) => this.#there.add(id));
      return;
    }
    const named = new Set<GitId>();
    const gone: GitId[] = [];
    const pairs: { readonly now: GitId; readonly old: readonly GitId[] }[] = [{ now: tree, old: before }];
    for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
      const folders = new Map<string, GitId[]>();
      for (const old of pair.old) {
        for (const { name, kind, id } of this.#reader.readTree(old)) {
          this.#there.add(id);
          if (kind !== 'tree') continue;
          const others = folders.get(name);
          if (others === undefined) folders.set(name, [id]);
          else others.push(id);
        }
      }
      for (const { name, kind, id } of this.#reader.readTree(pair.now)) {
        named.add(id);
        const old = kind === 'tree' ? folders.get(name) : undefined;
        if (old === undefined) continue;
        folders.delete(name);
        if (!this.#there.has(id)) pairs.push({ now: id, old });
        else gone.push(...old.filter((one) => one !== id));
      }
      for (const old of folders.values()) gone.push(...old);
    }
    if (before.length > 0) this.#learnGone(gone, named);
  }

  /** A folder that only was moved is known by its name, so what is in it need not be read. */
  #learnGone(gone: GitId[], named: ReadonlySet<GitId>): void {
    const read = new Set<GitId>();
    for (let id = gone.pop(); id !== undefined; id = gone.pop()) {
      if (named.has(id) || read.has(id)) continue;
      read.add(id);
      for (const entry of this.#reader.readTree(id)) {
        this.#there.add(entry.id);
        if (entry.kind === 'tree') gone.push(entry.id);
      }
    }
  }

  #send(root: GitId): void {
    const waiting: TreeEntry[] = [{ kind: 'tree', id: root } as TreeEntry];
    for (let entry = waiting.pop(); entry !== undefined; entry = waiting.pop()) {
      if (this.#there.has(entry.id)) continue;
      this.#there.add(entry.id);
      this.#found.add(entry.kind, entry.id);
      if (entry.kind === 'tree') waiting.push(...this.#reader.readTree(entry.id));
    }
  }
}

function partition<T>(all: readonly T[], test: (one: T) => boolean): [yes: T[], no: T[]] {
  const yes: T[] = [];
  const no: T[] = [];
  for (const one of all) (test(one) ? yes : no).push(one);
  return [yes, no];
}

/** The tree of what is there, if this is the root of a presence. */
function presentOf(entries: readonly TreeEntry[]): GitId | undefined {
  const names = entries.map(({ name }) => name as string).join('/');
  return names === `${PRESENT_TREE}/${REPOSITORY_FILE}` ? entries[0]?.id : undefined;
}

/** Whether `ancestor` is `commit` or comes before it. */
export function isAncestor(
  reader: Pick<HistoryReader, 'readCommit'>,
  ancestor: GitId,
  commit: GitId,
): boolean {
  const seen = new Set<GitId>();
  const waiting = [commit];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (id === ancestor) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    waiting.push(...reader.readCommit(id).parents);
  }
  return false;
}

const CHUNK = 256 * 1024;
/** Larger bodies (long folders) are compressed; see pack-writer. */
const LARGEST_STORED = 4096;

/** These objects as one pack, in chunks of about 256 KiB. Memory: one chunk and the largest object. */
export function* packOf(reader: HistoryReader, objects: ObjectList): Generator<Buffer> {
  const sha = crypto.createHash('sha1');
  let chunk = Buffer.allocUnsafe(CHUNK);
  let filled = chunk.write('PACK\0\0\0\x02', 'latin1');
  filled = chunk.writeUInt32BE(objects.count, filled);
  for (const { kind, id } of objects) {
    const body = bodyOf(reader, kind, id);
    const packed = body.length <= LARGEST_STORED ? undefined : zlib.deflateSync(body, { level: 1 });
    const room = 32 + (packed ?? body).length;
    if (filled + room > CHUNK) {
      const full = chunk.subarray(0, filled);
      sha.update(full);
      yield full;
      chunk = Buffer.allocUnsafe(Math.max(CHUNK, room));
      filled = 0;
    }
    filled = writeHeader(chunk, filled, ENTRY[kind], body.length);
    if (packed === undefined) filled = writeStored(chunk, filled, body);
    else filled += packed.copy(chunk, filled);
  }
  const last = chunk.subarray(0, filled);
  yield Buffer.concat([last, sha.update(last).digest()]);
}

function bodyOf(reader: HistoryReader, kind: Kind, id: GitId): Buffer {
  if (kind === 'blob') return reader.readBlob(id);
  if (kind === 'commit') return Buffer.from(formatCommit(reader.readCommit(id)));
  const entries = reader.readTree(id);
  const body = Buffer.allocUnsafe(treeBound(entries));
  return body.subarray(0, writeTree(entries, body, 0));
}

function writeHeader(chunk: Buffer, start: number, type: number, size: number): number {
  let at = start;
  let byte = (type << 4) | (size & 15);
  for (let rest = Math.floor(size / 16); rest > 0; rest = Math.floor(rest / 128)) {
    chunk[at++] = byte | 0x80;
    byte = rest & 0x7f;
  }
  chunk[at++] = byte;
  return at;
}

/** One stored block of deflate in a zlib frame: at most 4096 bytes, so the sums stay below 2^31. */
function writeStored(chunk: Buffer, start: number, body: Buffer): number {
  let at = chunk.writeUInt16BE(0x7801, start);
  chunk[at++] = 1;
  at = chunk.writeUInt16LE(body.length, at);
  at = chunk.writeUInt16LE(~body.length & 0xffff, at);
  let a = 1;
  let b = 0;
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]!;
    chunk[at++] = byte;
    a += byte;
    b += a;
  }
  return chunk.writeUInt32BE((b % 65521) * 65536 + (a % 65521), at);
}

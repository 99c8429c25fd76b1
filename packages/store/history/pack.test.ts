import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { EncodedName, GitId } from '@bk/core';
import fc from 'fast-check';
import git from 'isomorphic-git';
import { describe, expect, test } from 'vitest';
import { addTrees, filesArbitrary, type History, MAIN, newHistory } from './history.fixture.ts';
import { initHistory } from './init.ts';
import { ObjectTable } from './object-table.ts';
import { PackIndex } from './pack-index.ts';
import { PackWriter } from './pack-writer.ts';
import { HistoryReader } from './reader.ts';
import { readRef } from './refs.ts';
import { walkTree } from './tree-walk.ts';

const WHO = { name: 'Ann', email: 'ann@home', timeSec: 1_800_000_000, offsetMinutes: -90 };

/** What `git ls-tree -r` says, as path → blob id, in its order. */
function lsTree(history: History, tree: string): [string, string][] {
  const lines = history.git('ls-tree', '-r', '-z', tree).split('\0').slice(0, -1);
  return lines.map((line) => [line.slice(line.indexOf('\t') + 1), line.split(/[ \t]/)[2]!]);
}

function files(reader: HistoryReader, tree: GitId): [string, string][] {
  return [...walkTree(reader, tree)].map(({ path: file, id }) => [file, id]);
}

describe('PackWriter', () => {
  test('git reads what it wrote, and it reads what git says, for any names', () => {
    using history = newHistory();
    let parents: GitId[] = [];
    fc.assert(
      fc.property(filesArbitrary, (contents) => {
        const commit = history.commit(contents, { parents, main: true, message: 'é 😀\n\nbody\n' });
        const reader = new HistoryReader(history.dir);
        const { tree } = reader.readCommit(commit);
        const found = files(reader, tree);
        expect(found).toEqual(lsTree(history, tree));
        expect(
          Object.fromEntries(found.map(([file, id]) => [file, reader.readBlobText(id as GitId)])),
        ).toEqual({ ...contents });
        reader.close();
        parents = [commit];
      }),
      { numRuns: 30 },
    );
    expect(history.git('fsck', '--strict', '--no-dangling')).toBe('');
    expect(history.git('rev-parse', 'HEAD').trim()).toBe(parents[0]);
  });

  test('objects of all sizes are what git says they are', () => {
    using history = newHistory();
    const sizes = [0, 1, 15, 16, 2047, 2048, 4095, 4096, 4097, 65535, 65536, 70_000, 3_000_000];
    const random = crypto.createHash('shake256', { outputLength: 9_000_000 }).update('seed').digest();
    const contents = [...sizes.map((size) => random.subarray(0, size)), Buffer.alloc(500_000, 'é'), random];
    const ids: GitId[] = [];
    const pack = history.pack((writer) => {
      for (const content of contents) ids.push(writer.addBlob(content));
      ids.push(writer.addBlob('é'.repeat(50_000)));
    });
    const reader = new HistoryReader(history.dir);
    for (const [i, content] of contents.entries())
      expect(reader.readBlob(ids[i]!).equals(content)).toBe(true);
    expect(reader.readBlobText(ids.at(-1)!)).toBe('é'.repeat(50_000));
    const verified = history.git('verify-pack', '-v', path.join(history.dir, 'objects/pack', `${pack}.idx`));
    for (const [i, content] of contents.entries())
      expect(verified).toMatch(new RegExp(`${ids[i]} blob +${content.length} `));
    reader.close();
  });

  test('writes equal objects once, and none that the reader has', () => {
    using history = newHistory();
    let first: GitId | undefined;
    history.pack((writer) => {
      first = writer.addBlob('x');
      expect(writer.addBlob(Buffer.from('x'))).toBe(first);
      expect(writer.count).toBe(1);
    });
    const reader = new HistoryReader(history.dir);
    const writer = new PackWriter(history.dir, history.staging, { reader });
    expect(writer.addBlob('x')).toBe(first);
    expect(writer.finish()).toBeUndefined();
    expect(fs.readdirSync(history.staging)).toEqual([]);
    reader.close();
  });

  test('a large pack (several buffers, table grown) is verified by git', () => {
    using history = newHistory();
    const ids = new Set<string>();
    const pack = history.pack((writer) => {
      for (let i = 0; i < 30_000; i++) ids.add(writer.addBlob(`record ${i} `.repeat(20)));
    });
    const verified = history.git('verify-pack', '-v', path.join(history.dir, 'objects/pack', `${pack}.idx`));
    expect(new Set(verified.match(/^[0-9a-f]{40}(?= blob)/gm))).toEqual(ids);
    const reader = new HistoryReader(history.dir);
    for (const id of ids) expect(reader.has(id as GitId)).toBe(true);
    expect(reader.has('0'.repeat(40) as GitId)).toBe(false);
    reader.close();
  });

  test('the same pack again is no error, abort leaves nothing, names twice are refused', () => {
    using history = newHistory();
    const fill = (writer: PackWriter) => void writer.addBlob('x');
    expect(history.pack(fill)).toBe(history.pack(fill));
    const writer = new PackWriter(history.dir, history.staging);
    writer.addBlob(crypto.randomBytes(5_000_000));
    expect(fs.readdirSync(history.staging)).toHaveLength(1);
    const id = writer.addBlob('x');
    const a = { name: 'a' as EncodedName, id };
    expect(() =>
      writer.addTree([
        { ...a, kind: 'blob' },
        { ...a, name: 'a.b' as EncodedName, kind: 'blob' },
        { ...a, kind: 'tree' },
      ]),
    ).toThrow(/twice/);
    expect(() => writer.addTree([{ ...a, name: '..' as EncodedName, kind: 'blob' }])).toThrow(/no name/);
    writer.abort();
    writer.abort();
    expect(fs.readdirSync(history.staging)).toEqual([]);
    expect(() => writer.addBlob('y')).toThrow(/after its end/);
  });

  test('odd people do not spoil a commit', () => {
    using history = newHistory();
    const ids: GitId[] = [];
    history.pack((writer) => {
      const tree = addTrees(writer, {});
      const odd = { name: ' <A>\nB\0 ', email: 'a b<>', timeSec: -5.5, offsetMinutes: 840 };
      ids.push(writer.addCommit({ tree, parents: [], author: odd, committer: WHO, message: '' }));
      ids.push(
        writer.addCommit({
          tree,
          parents: ids.slice(),
          author: { ...odd, name: '' },
          committer: WHO,
          message: 'a\0b',
        }),
      );
    });
    const reader = new HistoryReader(history.dir);
    expect(reader.readCommit(ids[0]!)).toMatchObject({
      author: { name: 'AB', email: 'a b', timeSec: 0, offsetMinutes: 840 },
      committer: WHO,
      message: '',
    });
    expect(reader.readCommit(ids[1]!)).toMatchObject({
      parents: [ids[0]],
      author: { name: 'unknown' },
      message: 'ab',
    });
    expect(history.git('fsck', '--strict', '--no-dangling')).toBe('');
    reader.close();
  });
});

describe('ObjectTable', () => {
  test('sorts ids that begin alike and keeps offsets beyond 2 GiB, as git reads them', () => {
    const rows = Array.from({ length: 3_000 }, (_, i): [GitId, number] => [
      `${i % 3 === 0 ? 'ffffffff' : i % 3 === 1 ? '00000000' : crypto.hash('sha1', `${i}`).slice(0, 8)}${crypto.hash('sha1', `${i}`).slice(8)}` as GitId,
      i % 4 === 0 ? 12 + i : 2 ** (29 + (i % 12)) + i,
    ]);
    const table = new ObjectTable();
    for (const [id, offset] of rows) {
      expect(table.has(id)).toBe(false);
      table.add(offset, offset % 1000);
    }
    expect(rows.every(([id]) => table.has(id))).toBe(true);
    const bytes = table.toIndex(Buffer.alloc(20));
    const index = new PackIndex(bytes);
    for (const [id, offset] of rows) expect(index.find(Buffer.from(id, 'hex'))).toBe(offset);
    const shown = execFileSync('git', ['show-index'], { input: bytes, encoding: 'utf8' }).trim().split('\n');
    const crc = (offset: number) => (offset % 1000).toString(16).padStart(8, '0');
    const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(shown).toEqual(sorted.map(([id, offset]) => `${offset} ${id} (${crc(offset)})`));
  });
});

describe('initHistory', () => {
  test('makes a bare repository that git takes, twice the same', () => {
    using history = newHistory();
    initHistory(history.dir);
    expect(history.git('rev-parse', '--is-bare-repository').trim()).toBe('true');
    expect(history.git('symbolic-ref', 'HEAD').trim()).toBe(MAIN);
    expect(history.git('fsck', '--strict')).toBe('');
  });
});

describe('HistoryReader', () => {
  const version = (n: number) =>
    Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [
        `folder-${i % 7}/file-${i}`,
        `record ${i} ${'x'.repeat(300)} ${i % 5 === 0 ? n : 0}\n`,
      ]),
    );

  test('reads what git gc made of it: deltas, one pack, packed refs', () => {
    using history = newHistory();
    let head: GitId | undefined;
    const reader = new HistoryReader(history.dir);
    for (let n = 0; n < 12; n++) {
      head = history.commit(version(n), {
        parents: head ? [head] : [],
        main: true,
        timeSec: 1_800_000_000 + n,
      });
    }
    expect(reader.readCommit(head!).parents).toHaveLength(1);
    const before = files(reader, reader.readCommit(head!).tree);
    history.git('gc', '--aggressive', '--prune=now', '-q');
    expect(fs.existsSync(path.join(history.dir, MAIN))).toBe(false);
    expect(readRef(history.dir, MAIN)).toBe(head);
    for (const each of [reader, new HistoryReader(history.dir)]) {
      const { tree } = each.readCommit(head!);
      expect(files(each, tree)).toEqual(before);
      for (const [file, id] of before) expect(each.readBlobText(id as GitId)).toBe(version(11)[file]);
      each.close();
    }
    const next = history.commit(version(12), { parents: [head!], main: true });
    expect(reader.readCommit(next).parents).toEqual([head]);
    expect(history.git('fsck', '--strict')).toBe('');
    reader.close();
  });

  test.each(['--delta-base-offset', '--no-delta-base-offset'])('reads deltas made with %s', (flag) => {
    using history = newHistory();
    const head = history.commit(
      { a: 'x'.repeat(5000), b: `${'x'.repeat(4000)}y${'x'.repeat(999)}` },
      { main: true },
    );
    history.git(
      '-c',
      `repack.useDeltaBaseOffset=${flag.startsWith('--no') ? 'false' : 'true'}`,
      'repack',
      '-adfq',
    );
    const reader = new HistoryReader(history.dir);
    const [a, b] = files(reader, reader.readCommit(head).tree);
    expect(reader.readBlobText(b![1] as GitId)).toBe(`${'x'.repeat(4000)}y${'x'.repeat(999)}`);
    expect(reader.readBlobText(a![1] as GitId)).toBe('x'.repeat(5000));
    reader.close();
  });

  test('reads loose objects and finds commits by the beginning of their id', () => {
    using history = newHistory();
    const packed = history.commit({ a: '1' }, { main: true });
    const reader = new HistoryReader(history.dir);
    const env = ['-c', 'user.name=x', '-c', 'user.email=x'];
    const loose = history
      .git(...env, 'commit-tree', '-m', 'loose', '-p', packed, `${packed}^{tree}`)
      .trim() as GitId;
    expect(reader.has(loose)).toBe(true);
    expect(reader.readCommit(loose)).toMatchObject({ parents: [packed], message: 'loose\n' });
    for (const id of [packed, loose]) {
      expect(reader.resolve(id)).toEqual([id]);
      expect(reader.resolve(id.slice(0, 9))).toEqual([id]);
    }
    expect(reader.resolve(packed.slice(0, 3))).toEqual([]);
    expect(reader.resolve(reader.readCommit(packed).tree)).toEqual([]);
    expect(reader.resolve('zzzz')).toEqual([]);
    reader.close();
  });

  test('isomorphic-git reads our packs alike', async () => {
    using history = newHistory();
    const head = history.commit(version(1), { main: true });
    const options = { fs, gitdir: history.dir, cache: {} };
    const { commit } = await git.readCommit({ ...options, oid: head });
    const reader = new HistoryReader(history.dir);
    expect(commit.tree).toBe(reader.readCommit(head).tree);
    for (const [file, id] of files(reader, commit.tree as GitId)) {
      const { blob } = await git.readBlob({ ...options, oid: head, filepath: file });
      expect(Buffer.from(blob).toString()).toBe(reader.readBlobText(id as GitId));
    }
    reader.close();
  });
});

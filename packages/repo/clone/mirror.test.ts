import fs from 'node:fs';
import path from 'node:path';
import { PROTECTION, type RepoPath, STAT, STAT_WIDTH } from '@bk/core';
import { encodeRow } from '@bk/store';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { treeAt } from '../history/trees.ts';
import { openRepository, type Repository } from '../repository.ts';
import { TestTree } from '../tree.fixture.ts';
import { mirrorOf, rowOfCopy } from './mirror.ts';
import type { FolderPart } from './selection.ts';

const FOLDER = 'd' as RepoPath;
const LARGE = 1 << 20;

let tree: TestTree;
let repo: Repository;

beforeEach(async () => {
  tree = new TestTree();
  fs.mkdirSync(path.join(tree.root, 'd/sub'), { recursive: true });
  for (const [name, text] of [
    ['d/a', 'A'],
    ['d/b%c', 'percent'],
    ['d/empty', ''],
    ['d/sub/x', 'X'],
  ] as const)
    fs.writeFileSync(path.join(tree.root, name), text);
  fs.chmodSync(path.join(tree.root, 'd/a'), 0o640);
  fs.utimesSync(path.join(tree.root, 'd/a'), 1, '-1000000000.123456789');
  await tree.commit();
  repo = openRepository(tree.root);
});
afterEach(() => {
  repo.close();
  fs.rmSync(tree.base, { recursive: true, force: true });
});

function part(more: Partial<FolderPart> = {}): FolderPart {
  const root = repo.history.readCommit(repo.head!).tree;
  const id = treeAt(repo.history, root, FOLDER)!;
  return { path: FOLDER, tree: id, files: 'all', folders: 'all', made: true, ...more };
}

function mirrored(change: (known: NonNullable<ReturnType<typeof repo.index.known>>) => void = () => {}) {
  const known = repo.index.known(FOLDER)!;
  change(known);
  return mirrorOf(part(), encodeRow(known), repo.history.readTree(part().tree), LARGE);
}

test('a folder of plain files is known from the row as its records have it', () => {
  const found = mirrored()!;
  expect(found.known.listing.names).toEqual(['.', 'a', 'b%c', 'empty', 'sub']);
  const records = new Map(
    repo.history.readTree(part().tree).map(({ name, kind, id }) => [name, kind === 'blob' ? id : '']),
  );
  found.wanted.forEach((wanted, k) => {
    if (wanted === undefined) return;
    const name = found.known.listing.names[k]!.replace('%', '%25');
    const record = JSON.parse(repo.history.readBlobText(records.get(name as never) as never));
    expect({ ...wanted, mode: wanted.mode.toString(8).padStart(4, '0') }).toMatchObject({
      blake3: record.blake3,
      size: record.size,
      mode: record.mode,
    });
  });
  const row = rowOfCopy(found);
  expect([...row.listing.stats].every((stat) => stat === 0n)).toBe(true);
  expect([...row.protections]).toEqual([0, 0, 0, 0, 0]);
});

test.each<[string, (known: NonNullable<ReturnType<typeof repo.index.known>>) => void]>([
  [
    'another time',
    ({ listing }) => {
      listing.stats[STAT_WIDTH + STAT.mtime]! += 1n;
    },
  ],
  [
    'another size',
    ({ listing }) => {
      listing.stats[STAT_WIDTH + STAT.size]! += 1n;
    },
  ],
  [
    'another mode',
    ({ listing }) => {
      listing.modes[1]! ^= 0o111;
    },
  ],
  [
    'another content',
    ({ hashes }) => {
      hashes[32]! ^= 1;
    },
  ],
  [
    'another object',
    ({ ids }) => {
      ids[16]! ^= 1;
    },
  ],
  [
    'another record',
    ({ records }) => {
      records[20]! ^= 1;
    },
  ],
  [
    'another name',
    ({ listing }) => {
      (listing.names as string[])[1] = 'aa';
    },
  ],
  [
    'a folder of another name',
    ({ listing }) => {
      (listing.names as string[])[4] = 'sup';
    },
  ],
  [
    'something absent',
    ({ protections }) => {
      protections[1] = PROTECTION.absent;
    },
  ],
  [
    'another tree',
    (known) => {
      (known as { tree: string }).tree = '0'.repeat(40);
    },
  ],
])('a row that says anything else is not believed: %s', (_, change) => {
  expect(mirrored(change)).toBeUndefined();
});

test('a damaged row, a part of the folder, and large files are for the long way', () => {
  const row = Buffer.from(encodeRow(repo.index.known(FOLDER)!));
  const entries = repo.history.readTree(part().tree);
  expect(mirrorOf(part(), row, entries, LARGE)).toBeDefined();
  expect(mirrorOf(part({ files: [] }), row, entries, LARGE)).toBeUndefined();
  expect(mirrorOf(part({ folders: [] }), row, entries, LARGE)).toBeUndefined();
  expect(mirrorOf(part({ made: false }), row, entries, LARGE)).toBeUndefined();
  expect(mirrorOf(part(), row, entries, 6)).toBeUndefined();
  row[60]! ^= 1;
  expect(mirrorOf(part(), row, entries, LARGE)).toBeUndefined();
});

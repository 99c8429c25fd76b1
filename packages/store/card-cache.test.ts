import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { FsPath, GitId, KnownDirectory } from '@bk/core';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CardCache } from './card-cache.ts';
import { decodeRow } from './index-db/row.ts';

let dir: string;
let file: string;
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-cards-'));
  file = path.join(dir, 'cards.sqlite');
});
afterEach(() => fs.rmSync(dir, { recursive: true }));

const at = (text: string) => text as FsPath;

function known(hash: number): KnownDirectory {
  return {
    tree: '0'.repeat(40) as GitId,
    observedNs: 1n,
    mount: false,
    listing: {
      names: ['.', 'f'],
      kinds: new Uint8Array(2),
      modes: new Uint16Array(2),
      stats: new BigInt64Array(12),
    },
    hashes: Buffer.alloc(64, hash),
    ids: Buffer.alloc(32),
    records: Buffer.alloc(40),
    protections: new Uint8Array(2),
  };
}

function using<T>(card: string, work: (cache: CardCache) => T, nowMs = 1000): T {
  const cache = CardCache.open(file, card, nowMs);
  if (cache === undefined) throw new Error('no cache');
  try {
    return work(cache);
  } finally {
    cache.close();
  }
}

const hashIn = (card: string, folder: string): number | undefined =>
  using(card, (cache) => {
    const row = cache.row(at(folder));
    return row === undefined ? undefined : decodeRow(row)?.hashes[0];
  });

test('rows belong to their card and stay', () => {
  using('a', (cache) =>
    cache.keep([
      [at(''), known(1)],
      [at('caf\xc3\xa9/\xff'), known(2)],
    ]),
  );
  using('b', (cache) => cache.keep([[at(''), known(3)]]));
  expect(hashIn('a', '')).toBe(1);
  expect(hashIn('a', 'caf\xc3\xa9/\xff')).toBe(2);
  expect(hashIn('b', '')).toBe(3);
  expect(hashIn('b', 'x')).toBeUndefined();
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
});

test('folders that are gone are forgotten, those beside are not', () => {
  using('a', (cache) => {
    cache.keep(['d', 'd/x', 'd/y', 'd-e', 'e'].map((folder) => [at(folder), known(1)] as const));
    cache.forgetOthers(at('d'), new Set([at('d'), at('d/y')]));
  });
  expect(['d', 'd/x', 'd/y', 'd-e', 'e'].filter((folder) => hashIn('a', folder) !== undefined)).toEqual([
    'd',
    'd/y',
    'd-e',
    'e',
  ]);
});

test('cards that were not seen for long are forgotten', () => {
  using('old', (cache) => cache.keep([[at(''), known(1)]]), 1_000);
  using(
    'new',
    (cache) => {
      cache.keep([[at(''), known(2)]]);
      cache.prune(2_000);
    },
    3_000,
  );
  expect(hashIn('new', '')).toBe(2);
  expect(hashIn('old', '')).toBeUndefined();
});

test.each([
  ['no database', () => fs.writeFileSync(file, 'x'.repeat(5000))],
  [
    'of another format',
    () => {
      using('a', (cache) => cache.keep([[at(''), known(1)]]));
      const db = new Database(file);
      db.exec(`UPDATE meta SET value = '99'`);
      db.close();
    },
  ],
  [
    'cut short',
    () => {
      using('a', (cache) => cache.keep([[at(''), known(1)]]));
      fs.truncateSync(file, 3000);
    },
  ],
])('a cache that is %s is made anew', (_, spoil) => {
  spoil();
  expect(hashIn('a', '')).toBeUndefined();
  using('a', (cache) => cache.keep([[at(''), known(5)]]));
  expect(hashIn('a', '')).toBe(5);
});

test('a disk that cannot be written keeps nothing, and that is all', () => {
  fs.mkdirSync(file);
  expect(CardCache.open(file, 'a', 1)).toBeUndefined();
});

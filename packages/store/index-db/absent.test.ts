import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  type ContentHash,
  type GitId,
  HASH_BYTES,
  KIND,
  type KnownDirectory,
  PROTECTION,
  type RepoPath,
} from '@bk/core';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IndexDb } from './index-db.ts';
import { directoryOf } from './row.fixture.ts';

const HASH = 'cd'.repeat(32) as ContentHash;
const at = (text: string) => text as RepoPath;

let index: IndexDb;
beforeEach(() => {
  index = IndexDb.open(':memory:');
});
afterEach(() => index.close());

/** A directory of files and folders (named with `/`), those with `-` before their names absent. */
function row(...names: string[]): KnownDirectory {
  const plain = (name: string) => name.replace(/^-|\/$/g, '').replace(/\/$/, '');
  const known = directoryOf(Object.fromEntries(names.map((name) => [plain(name), { hash: HASH }])));
  for (const name of names) {
    const k = known.listing.names.indexOf(plain(name));
    if (name.endsWith('/')) {
      known.listing.kinds[k] = KIND.dir;
      known.hashes.fill(0, k * HASH_BYTES, (k + 1) * HASH_BYTES);
    }
    if (name.startsWith('-')) known.protections[k] = PROTECTION.absent;
  }
  return known;
}

describe('which folders have something absent', () => {
  it('follows from the rows as they are written', () => {
    expect([index.absent.any, index.absent.files, index.absent.folders(at(''))]).toEqual([false, 0, []]);
    index.write({
      files: 9,
      put: [
        [at(''), row('a', 'd/', '-e/')],
        [at('d'), row('x', '-y', '-z')],
        [at('d/in'), row('x')],
        [at('d-other'), row('-x', 'y')],
        [at('e'), row('-x', '-f/')],
        [at('e/f'), row('-x')],
      ],
    });
    expect(index.absent.any).toBe(true);
    expect(index.absent.folders(at(''))).toEqual(['', 'd', 'd-other', 'e', 'e/f']);
    expect(index.absent.folders(at('d'))).toEqual(['d']);
    expect(index.absent.folders(at('e'))).toEqual(['e', 'e/f']);
    expect(index.absent.partial()).toEqual(['', 'd', 'd-other']);
    expect(index.absent.files).toBe(5);
    expect(index.presentFiles).toBe(4);
    expect(['', 'd', 'd/in', 'e/f', 'none'].filter((path) => index.absent.has(at(path)))).toEqual([
      '',
      'd',
      'e/f',
    ]);
    expect(index.owners(new Set([HASH])).get(HASH)?.length).toBe(4);
  });

  it('goes with them', () => {
    index.write({ put: [[at('d'), row('-x')], [at('e'), row('-x', 'y')]] }); // biome-ignore format: short
    index.write({ put: [[at('d'), row('x')]] });
    expect(index.absent.folders(at(''))).toEqual(['e']);
    index.write({ remove: [at('e')] });
    expect([index.absent.any, index.absent.folders(at(''))]).toEqual([false, []]);
  });

  it('the root counts as one that is here in part, even if nothing is', () => {
    index.write({ put: [[at(''), row('-a')]] });
    expect(index.absent.partial()).toEqual(['']);
  });

  it('is nothing in an index that was made before there was absence', () => {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'bk-absent-')), 'index.sqlite');
    const old = IndexDb.open(file);
    old.write({ head: '1'.repeat(40) as GitId, put: [[at(''), row('a')]] });
    old.close();
    const db = new Database(file);
    db.exec('DROP TABLE absent');
    db.close();
    const again = IndexDb.open(file);
    try {
      expect([again.head, again.presence, again.absent.any]).toEqual(['1'.repeat(40), undefined, false]);
      again.write({ presence: '2'.repeat(40) as GitId });
      expect(again.presence).toBe('2'.repeat(40));
      again.write({ files: 1 });
      expect(again.presence).toBe('2'.repeat(40));
      again.write({ presence: null });
      expect(again.presence).toBe(undefined);
    } finally {
      again.close();
      fs.rmSync(path.dirname(file), { recursive: true });
    }
  });
});

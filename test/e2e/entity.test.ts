import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bk, run } from '../support/bk.ts';
import { commit, has, move, read, write } from '../support/family.ts';
import { fsckProblems } from '../support/history.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';

function grown(): string {
  const root = path.join(temporaryFolder('bk-entity-'), 'laptop');
  for (const name of ['boat', 'cabin', 'fjord'])
    write(root, `trips/Norway/${name}.jpg`, `picture of a ${name}`);
  write(root, 'trips/Italy/rome.jpg', 'picture of rome');
  bk(['init', root]);
  commit(root);
  return root;
}

function clone(root: string, ...options: string[]): string {
  const disk = path.join(fastFolder('bk-entity-'), 'disk');
  bk(['-C', root, 'clone', ...options, disk]);
  return disk;
}

const list = (root: string) =>
  (bk(['-C', root, 'entity'])['entities'] as { path: string; kind: string; title: string }[]).map(
    ({ path: at, kind, title }) => `${at} ${kind} ${title}`,
  );

describe('entities', () => {
  test('are made, kept whole by a subset, and go along', () => {
    const laptop = grown();
    const made = run([
      '-C',
      laptop,
      'entity',
      'init',
      'trips/Norway',
      '--kind',
      'album',
      '--title',
      'Norway 2019',
    ]);
    expect(made.stdout).toBe('trips/Norway  album  Norway 2019  3 files, 53 B\n');
    expect(run(['-C', laptop, 'entity', 'init', 'trips/Norway']).code).toBe(2);
    const disk = clone(laptop, '--subset', 'trips/Norway/boat.jpg');
    expect(['boat', 'cabin', 'fjord'].map((name) => has(disk, `trips/Norway/${name}.jpg`))).toEqual([
      true,
      true,
      true,
    ]);
    expect(has(disk, 'trips/Italy')).toBe(false);
    move(disk, 'trips/Norway', 'trips/North');
    commit(disk);
    bk(['-C', laptop, 'merge', 'disk']);
    expect([list(laptop), list(disk)]).toEqual([
      ['trips/North album Norway 2019'],
      ['trips/North album Norway 2019'],
    ]);
    for (const root of [laptop, disk]) expect(fsckProblems(root)).toEqual([]);
  });

  test('that are atomic are kept twice where two places changed them, others are blended', () => {
    for (const atomic of [true, false]) {
      const laptop = grown();
      bk(['-C', laptop, 'entity', 'init', 'trips/Norway', '--kind', 'film', ...(atomic ? ['--atomic'] : [])]);
      const disk = clone(laptop);
      write(laptop, 'trips/Norway/boat.jpg', 'cropped');
      commit(laptop);
      write(disk, 'trips/Norway/cabin.jpg', 'brighter');
      commit(disk);
      const merged = bk(['-C', laptop, 'merge', 'disk']);
      const kinds = (merged['conflicts'] as { kind: string }[]).map(({ kind }) => kind);
      expect(kinds).toEqual(atomic ? ['atomic'] : []);
      const both = [read(laptop, 'trips/Norway/boat.jpg'), read(laptop, 'trips/Norway/cabin.jpg')];
      expect(both.filter((text) => /cropped|brighter/.test(text))).toHaveLength(atomic ? 1 : 2);
    }
  });
});

import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bk, errorOf, run } from '../support/bk.ts';
import { commit, has, move, read, write } from '../support/family.ts';
import { fsckProblems, head } from '../support/history.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';

interface Told {
  readonly path: string;
  readonly id: string | null;
  readonly attrs: Readonly<Record<string, unknown>>;
}

function tag(root: string, ...args: string[]): readonly Told[] {
  return bk(['-C', root, 'tag', ...args])['changed'] as readonly Told[];
}

/** What `bk tag PATH` tells. */
function attrs(root: string, file: string): Told['attrs'] | undefined {
  return (bk(['-C', root, 'tag', file])['files'] as readonly Told[])[0]?.attrs;
}

function grown(): string {
  const root = path.join(temporaryFolder('bk-tag-'), 'laptop');
  for (const name of ['boat', 'cabin', 'fjord']) write(root, `trips/${name}.jpg`, `picture of a ${name}`);
  write(root, 'notes.txt', 'notes');
  bk(['init', root]);
  commit(root);
  return root;
}

describe('tags', () => {
  test('survive rename, edit, clone, merge, drop and get', () => {
    const laptop = grown();
    const [told] = tag(laptop, 'trips/boat.jpg', '--add', 'sea', '--set', 'people=Anna', '--set', 'rating=4');
    expect(told?.attrs).toEqual({ people: ['Anna'], rating: 4, tags: ['sea'] });
    tag(laptop, 'trips', '--set', 'title=Norway');
    move(laptop, 'trips', 'Norway');
    write(laptop, 'Norway/boat.jpg', 'cropped');
    commit(laptop);
    move(laptop, 'Norway/boat.jpg', 'Norway/ship.jpg');
    commit(laptop);
    expect(attrs(laptop, 'Norway/ship.jpg')).toEqual(told?.attrs);
    expect(attrs(laptop, 'Norway')).toEqual({ title: 'Norway' });

    const disk = path.join(fastFolder('bk-tag-'), 'disk');
    bk(['-C', laptop, 'clone', disk]);
    expect(attrs(disk, 'Norway/ship.jpg')).toEqual(told?.attrs);

    // Two places say different things of one file, one of them under another name, without a conflict.
    tag(laptop, 'Norway/ship.jpg', '--add', 'Hurtigruten', '--remove', 'sea', '--set', 'rating=5');
    move(disk, 'Norway/ship.jpg', 'ship.jpg');
    commit(disk);
    tag(disk, 'ship.jpg', '--add', 'boat', '--set', 'people+=Ben');
    const merged = bk(['-C', laptop, 'merge', 'disk']);
    expect(merged['conflicts']).toEqual([]);
    const both = { people: ['Anna', 'Ben'], rating: 5, tags: ['Hurtigruten', 'boat'] };
    expect(attrs(laptop, 'ship.jpg')).toEqual(both);
    bk(['-C', disk, 'merge', 'origin']);
    expect(head(disk)).toBe(head(laptop));
    expect(attrs(disk, 'ship.jpg')).toEqual(both);

    bk(['-C', laptop, 'drop', 'ship.jpg', 'Norway', '--copies', '1']);
    expect(has(laptop, 'ship.jpg')).toBe(false);
    expect(bk(['-C', laptop, 'status']).changes).toEqual([]);
    expect(attrs(laptop, 'ship.jpg')).toEqual(both);
    tag(laptop, 'ship.jpg', 'Norway', '--add', 'while away');
    expect(bk(['-C', laptop, 'status']).changes).toEqual([]);
    bk(['-C', laptop, 'get', 'ship.jpg', 'Norway']);
    expect(read(laptop, 'ship.jpg')).toBe('cropped');
    expect(attrs(laptop, 'ship.jpg')?.['tags']).toEqual(['Hurtigruten', 'boat', 'while away']);
    expect(attrs(laptop, 'Norway')).toEqual({ tags: ['while away'], title: 'Norway' });
    bk(['-C', disk, 'merge', 'origin']);
    expect(attrs(disk, 'Norway')).toEqual({ tags: ['while away'], title: 'Norway' });
    for (const root of [laptop, disk]) {
      expect(fsckProblems(root)).toEqual([]);
      expect(bk(['-C', root, 'check'])['ok']).toBe(true);
    }
  });

  test('survive that a file is deleted and recovered, and the index lost', () => {
    const root = grown();
    tag(root, 'notes.txt', '--add', 'keep');
    fs.rmSync(path.join(root, 'notes.txt'));
    commit(root, '--keep-deletions');
    expect(run(['-C', root, 'tag', 'notes.txt', '--add', 'x']).code).toBe(4);
    bk(['-C', root, 'recover', 'notes.txt']);
    commit(root);
    fs.rmSync(path.join(root, '.bk/index.sqlite'));
    expect(attrs(root, 'notes.txt')).toEqual({ tags: ['keep'] });
  });

  test('an edit beats a deletion elsewhere, and so does a tag', () => {
    const laptop = grown();
    const disk = path.join(fastFolder('bk-tag-'), 'disk');
    bk(['-C', laptop, 'clone', disk]);
    fs.rmSync(path.join(laptop, 'notes.txt'));
    commit(laptop, '--confirm-deletions');
    tag(disk, 'notes.txt', '--add', 'mine');
    const merged = bk(['-C', laptop, 'merge', 'disk']);
    expect((merged['conflicts'] as { kind: string }[]).map(({ kind }) => kind)).toEqual(['delete-edit']);
    expect(read(laptop, 'notes.txt')).toBe('notes');
    expect(attrs(laptop, 'notes.txt')).toEqual({ tags: ['mine'] });
  });

  test('words for people, and errors', () => {
    const root = grown();
    expect(run(['-C', root, 'tag', 'notes.txt', '--add', 'a\u0301', '--set', 'title=T']).stdout).toBe(
      'notes.txt  á; title T\n1 file changed\n',
    );
    expect(run(['-C', root, 'tag', 'notes.txt']).stdout).toBe('notes.txt  á; title T\n');
    expect(run(['-C', root, 'tag', 'notes.txt', '--add', 'á']).stdout).toBe('nothing to change\n');
    write(root, 'new.txt', 'new');
    const refused = run(['-C', root, '--json', 'tag', 'new.txt', '--add', 'x']);
    expect([refused.code, errorOf(refused).code, errorOf(refused).path]).toEqual([4, 'not-found', 'new.txt']);
    expect(run(['-C', root, 'tag', 'notes.txt', '--set', 'rating=9']).code).toBe(2);
    expect(run(['-C', root, 'tag']).code).toBe(2);
  });
});

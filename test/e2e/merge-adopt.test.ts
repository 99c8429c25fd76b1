import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { randomFrom } from '../../fixtures/random.ts';
import { bk, errorOf, repository, run } from '../support/bk.ts';
import { has, meet, read, write } from '../support/family.ts';
import { fsckProblems, git, head, records } from '../support/history.ts';
import { contentsOf, differences, snapshot } from '../support/snapshot.ts';
import { fastFolder } from '../support/temporary.ts';
import { acquaint } from '../support/two.ts';

/** Two that never met: `laptop` with Pictures/2014, and `old` with most of the same as Fotos_alt, and some more. */
let laptop: string;
let old: string;
beforeEach(() => {
  [laptop, old] = [path.join(fastFolder('bk-adopt-'), 'laptop'), path.join(fastFolder('bk-adopt-'), 'old')];
  const random = randomFrom(7);
  for (let i = 10; i < 35; i++) {
    const bytes = random.bytes(300 + i);
    file(laptop, `Pictures/2014/IMG_${i}.jpg`, bytes);
    if (i < 33) file(old, `Fotos_alt/img ${i}.jpg`, bytes);
  }
  for (const [root, text] of [
    [laptop, 'laptop'],
    [old, 'old'],
  ] as const) {
    write(root, 'shared/both.txt', 'the same at the same path');
    write(root, 'shared/readme.txt', `of ${text}`, Date.UTC(2026, 4, root === laptop ? 11 : 12) / 1000);
    write(root, `only ${text}/note.txt`, `note of ${text}`);
  }
  for (const name of ['cat', 'dog']) write(old, `Fotos_alt/${name}.jpg`, `${name}, on the old disk alone`);
  for (const root of [laptop, old]) repository(root);
  acquaint(laptop, old);
});

function file(root: string, name: string, bytes: Uint8Array): void {
  fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  fs.writeFileSync(path.join(root, name), bytes);
}

function files(root: string): string[] {
  return [...snapshot(root)].filter(([, { type }]) => type === 'file').map(([at]) => at);
}

/** Contents of both, before anything was done. */
function everything(): Set<string> {
  return new Set([laptop, old].flatMap((root) => [...contentsOf(snapshot(root))]));
}

function sound(): void {
  for (const root of [laptop, old]) {
    expect(fsckProblems(root)).toEqual([]);
    expect(bk(['-C', root, 'check'])).toMatchObject({ ok: true, problems: [] });
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
  }
  expect(head(laptop)).toBe(head(old));
  expect(differences(snapshot(laptop), snapshot(old), { inode: false })).toEqual([]);
}

const CORRESPONDENCE = { theirs: 'Fotos_alt', ours: 'Pictures/2014', files: 25, equal: 23, unique: 2 };

describe('collections that never met', () => {
  test('are merged only if one is named; then they are the union, and nothing is deleted or moved', () => {
    const before = { all: everything(), laptop: files(laptop), old: files(old), head: head(laptop) };
    const unnamed = run(['-C', laptop, 'merge']);
    expect([unnamed.code, unnamed.stdout]).toEqual([1, expect.stringContaining('nothing in common')]);
    expect([head(laptop), files(laptop)]).toEqual([before.head, before.laptop]);

    const done = bk(['-C', laptop, 'merge', 'old'], { expect: [1] });
    const kept = 'shared/readme (conflict laptop 2026-05-11).txt';
    expect(done).toMatchObject({
      result: 'merged',
      conflicts: [{ path: 'shared/readme.txt', kind: 'add-add', kept: [kept] }],
      // Our readme got the conflict name.
      applied: { renamed: 1, deleted: 0 },
      correspondences: [CORRESPONDENCE],
      missing: [],
    });
    // Only what was nowhere here had to come: two pictures, the note, the other readme.
    expect(done['transferred']).toMatchObject({ files: 4 });
    expect(files(laptop).sort()).toEqual([...new Set([...before.laptop, ...before.old, kept])].sort());
    expect(contentsOf(snapshot(laptop))).toEqual(before.all);
    expect(records(laptop).get('shared/both.txt')?.record['was']).toHaveLength(1);
    bk(['-C', laptop, 'push', 'old'], { expect: [0] });
    sound();
    expect(run(['-C', laptop, 'merge', 'old'])).toMatchObject({ code: 0, stdout: 'old  nothing new\n' });
  });

  test('a dry run tells which folders correspond, and touches nothing', () => {
    meet(laptop, old);
    const before = [laptop, old].map((root) => [snapshot(root), head(root)]);
    const told = run(['-C', laptop, 'merge', 'old', '--dry-run']);
    expect(told.code).toBe(1);
    expect(told.stdout).toContain(
      'folders of old that correspond to folders here: 1\n' +
        '  Fotos_alt/  92 % of 25 files in Pictures/2014/  2 unique\n',
    );
    expect(told.stdout).toContain('--layout ours');
    expect([laptop, old].map((root) => [snapshot(root), head(root)])).toEqual(before);
  });

  test('on both sides at once it is the same commit', () => {
    meet(laptop, old);
    bk(['-C', laptop, 'merge', head(old)!], { expect: [1] });
    bk(['-C', old, 'merge', git(old, ['rev-parse', 'refs/remotes/laptop/main']).toString().trim()], {
      expect: [1],
    });
    sound();
  });
});

describe('--layout', () => {
  test.each([
    ['ours', 'Pictures/2014', 'IMG_10.jpg', 'Fotos_alt'],
    ['theirs', 'Fotos_alt', 'img 10.jpg', 'Pictures/2014'],
  ] as const)(
    '%s: equal files come to one place by renames, what is with them follows',
    (chosen, kept, one, left) => {
      const all = everything();
      meet(laptop, old);
      const plan = bk(['-C', laptop, 'merge', 'old', '--layout', chosen, '--dry-run'], { expect: [1] });
      expect(plan).toMatchObject({
        commit: null,
        layout: { side: chosen === 'ours' ? 'theirs' : 'ours', unified: 24 },
      });
      const done = bk(['-C', laptop, 'merge', 'old', '--layout', chosen], { expect: [1] });
      expect(done['layout']).toMatchObject({ unified: 24 });
      expect(done['applied']).toMatchObject({ deleted: 0, renamed: chosen === 'ours' ? 1 : 26 });
      expect([has(laptop, `${kept}/${one}`), has(laptop, left)]).toEqual([true, false]);
      expect(read(laptop, `${kept}/cat.jpg`)).toBe('cat, on the old disk alone');
      expect(contentsOf(snapshot(laptop))).toEqual(all);
      const sent = bk(['-C', laptop, 'push', 'old'], { expect: [0] });
      // Its own pictures are moved there, not sent: two pictures, a note and a readme are all that it lacks.
      expect(sent['remotes']).toMatchObject([{ moved: true, sent: { files: 4 } }]);
      expect(contentsOf(snapshot(old))).toEqual(all);
      sound();
      const messages = git(laptop, ['log', '--format=%s']).toString();
      expect(messages).toContain('layout');
      expect(bk(['-C', laptop, 'recover', '--list']).recoverable.map(({ path: at }) => at)).toEqual([]);
    },
  );

  test('is refused where it means nothing', () => {
    const said = (...args: string[]) => {
      const done = run(['-C', laptop, '--json', 'merge', ...args]);
      return [done.code, errorOf(done).code];
    };
    expect(said('old', '--layout', 'mine')).toEqual([2, 'usage']);
    expect(said('--layout', 'ours')).toEqual([2, 'usage']);
    bk(['-C', laptop, 'merge', 'old'], { expect: [1] });
    write(old, 'new.txt', 'new');
    bk(['-C', old, 'commit', '-m', 'new']);
    write(laptop, 'here.txt', 'here');
    bk(['-C', laptop, 'commit', '-m', 'here']);
    expect(said('old', '--layout', 'ours')).toEqual([2, 'usage']);
  });
});

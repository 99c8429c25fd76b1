import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bk, errorOf, run } from '../support/bk.ts';
import { opsOf, runWithFault } from '../support/faults.ts';
import { fsckProblems, git, head } from '../support/history.ts';
import { leftovers } from '../support/oracle.ts';
import { isOverSsh } from '../support/over.ts';
import { needsPrograms } from '../support/programs.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { fastFolder } from '../support/temporary.ts';
import { acquaint, codeOf, id, of, rsyncDifferences, two, twoEqual } from '../support/two.ts';

function refs(root: string): string[] {
  return git(root, ['for-each-ref', '--format=%(objectname) %(refname)'])
    .toString()
    .trim()
    .split('\n')
    .filter(Boolean);
}

function ref(root: string, name: string): string | null {
  return head(root, name);
}

function presence(root: string, of: string): string | null {
  return ref(root, `refs/bk/repositories/${id(of)}`);
}

/** Everything of bk's that a verb which finds nothing new must leave as it was. */
function untouched(root: string): unknown {
  const all = [...snapshot(path.join(root, '.bk')).entries()];
  const kept = all.filter(([at]) => /^(history|safety|staging|journal)\//.test(at));
  return kept.map(([at, { blake3, inode, mtimeNs }]) => [at, blake3, String(inode), String(mtimeNs)]);
}

describe('fetch', () => {
  test('brings the head and the presence of a remote, and touches nothing else', () => {
    const { here, there } = two();
    const before = snapshot(there);
    const answer = bk(['-C', there, 'fetch', 'here'], { expect: [0] });
    expect(of(answer, 'here')).toMatchObject({ head: head(here), before: null, moved: true });
    expect(of(answer, 'here')['presences']).toEqual([{ id: id(here), name: 'here', moved: true }]);
    expect(ref(there, 'refs/remotes/here/main')).toBe(head(here));
    expect(presence(there, here)).toBe(presence(here, here));
    expect(head(there)).toBe(null);
    expect(fsckProblems(there)).toEqual([]);
    expect([...snapshot(there)]).toEqual([...before]);
    expect(leftovers(there)).toEqual([]);
  });

  test('again: nothing new, and nothing is written', () => {
    const { there } = two();
    bk(['-C', there, 'fetch']);
    const before = untouched(there);
    const answer = bk(['-C', there, 'fetch'], { expect: [0] });
    expect(of(answer, 'here')).toMatchObject({ moved: false, presences: [] });
    expect(untouched(there)).toEqual(before);
  });

  test('a third repository’s presence comes by way of the second', () => {
    const { here, there } = two();
    const third = path.join(fastFolder('bk-third-'), 'third');
    fs.mkdirSync(third);
    bk(['init', third]);
    acquaint(there, third);
    bk(['-C', there, 'fetch', 'here']);
    bk(['-C', third, 'fetch', 'there']);
    expect(presence(third, here)).toBe(presence(here, here));
    expect(fsckProblems(third)).toEqual([]);
  });

  test('a remote out of reach: 4 if it was named, 1 if another one answered', () => {
    const { here, there } = two();
    bk(['-C', there, 'remote', 'add', 'drawer', path.join(fastFolder(), 'nothing')]);
    const named = run(['-C', there, '--json', 'fetch', 'drawer']);
    expect(named.code).toBe(4);
    expect(JSON.parse(named.stdout)).toMatchObject({ remotes: [], unreachable: [{ name: 'drawer' }] });
    const all = run(['-C', there, '--json', 'fetch']);
    expect(all.code).toBe(1);
    expect(ref(there, 'refs/remotes/here/main')).toBe(head(here));
    fs.renameSync(here, `${here}.away`);
    expect(codeOf(there, ['fetch'])).toBe(4);
    expect(errorOf(run(['-C', there, '--json', 'fetch', 'nobody'])).code).toBe('usage');
    expect(codeOf(there, ['fetch', 'nobody'])).toBe(2);
  });

  test('a head that was taken back is followed, and the old one kept within reach', () => {
    const { here, there } = two();
    const first = head(here)!;
    fs.writeFileSync(path.join(here, 'notes/new.txt'), 'new\n');
    bk(['-C', here, 'commit', '-m', 'second']);
    const second = head(here)!;
    bk(['-C', there, 'fetch']);
    git(here, ['update-ref', 'refs/heads/main', first]);
    expect(of(bk(['-C', there, 'fetch']), 'here')).toMatchObject({
      head: first,
      before: second,
      rewritten: true,
    });
    expect(ref(there, 'refs/remotes/here/main')).toBe(first);
    expect(refs(there).some((line) => line.startsWith(second))).toBe(true);
    expect(fsckProblems(there)).toEqual([]);
  });

  test('a presence that went backwards or says what it should not is refused, the rest comes', () => {
    const { here, there } = two();
    const early = presence(here, here)!;
    fs.writeFileSync(path.join(here, 'notes/new.txt'), 'new\n');
    bk(['-C', here, 'commit', '-m', 'second']);
    bk(['-C', there, 'fetch']);
    const late = presence(there, here)!;
    expect(late).not.toBe(early);
    git(here, ['update-ref', `refs/bk/repositories/${id(here)}`, early]);
    git(here, ['update-ref', 'refs/bk/repositories/01234567-89ab-7def-8123-456789abcdef', head(here)!]);
    fs.writeFileSync(path.join(here, 'notes/newer.txt'), 'newer\n');
    git(here, ['update-ref', 'refs/bk/repositories/01234567-89ab-7def-8123-456789abcdee', early]);
    const answer = bk(['-C', there, 'fetch'], { expect: [1] });
    const told = of(answer, 'here')['presences'] as { id: string; moved: boolean; reason?: string }[];
    expect(told.map((one) => one.moved)).toEqual([false, false, false]);
    expect(told.every((one) => one.reason !== undefined)).toBe(true);
    expect(presence(there, here)).toBe(late);
    expect(refs(there).filter((line) => line.includes('01234567'))).toEqual([]);
    expect(fsckProblems(there)).toEqual([]);
  });
});

describe('push', () => {
  test('to an empty repository: history, contents, files and presences', (context) => {
    needsPrograms(context, 'rsync');
    const { here, there } = two();
    const answer = bk(['-C', here, 'push'], { expect: [0] });
    expect(of(answer)).toMatchObject({ head: head(here), moved: true, missing: [] });
    expect((of(answer)['sent'] as { files: number }).files).toBeGreaterThan(10);
    expect(head(there)).toBe(head(here));
    expect(rsyncDifferences(here, there)).toEqual([]);
    expect(bk(['-C', there, 'status']).changes).toEqual([]);
    for (const root of [here, there]) {
      expect(fsckProblems(root)).toEqual([]);
      expect(leftovers(root)).toEqual([]);
      expect(presence(root, here)).toBe(presence(here, here));
      expect(presence(root, there)).toBe(presence(there, there));
    }
  });

  test('again: nothing to do, and nothing is written on either side', () => {
    const { here, there } = twoEqual();
    bk(['-C', here, 'push']);
    const before = [untouched(here), untouched(there)];
    expect(of(bk(['-C', here, 'push'], { expect: [0] }))).toMatchObject({ moved: false, sent: { files: 0 } });
    expect([untouched(here), untouched(there)]).toEqual(before);
  });

  test('moves, edits and deletions follow; what only moved is not sent', (context) => {
    needsPrograms(context, 'rsync');
    const { here, there } = twoEqual();
    fs.renameSync(path.join(here, 'photos/2019'), path.join(here, 'photos/old'));
    fs.copyFileSync(path.join(here, 'top.bin'), path.join(here, 'notes/copy of top.bin'));
    fs.rmSync(path.join(here, 'bin/run.sh'));
    fs.writeFileSync(path.join(here, 'notes/new.txt'), 'new\n');
    bk(['-C', here, 'commit', '-m', 'second', '--confirm-deletions']);
    const plan = of(bk(['-C', here, 'push', '--dry-run']));
    expect(plan).toMatchObject({ moved: true, sent: { files: 1, bytes: 4 } });
    expect(head(there)).not.toBe(head(here));
    expect(of(bk(['-C', here, 'push'], { expect: [0] }))).toMatchObject({
      moved: true,
      sent: { files: 1, bytes: 4 },
    });
    expect(rsyncDifferences(here, there)).toEqual([]);
    expect(bk(['-C', there, 'status']).changes).toEqual([]);
    expect(leftovers(there)).toEqual([]);
  });

  test('a dry run touches neither side', () => {
    const { here, there } = two();
    const before = [untouched(here), untouched(there)];
    const said = of(bk(['-C', here, 'push', '--dry-run']));
    expect(said).toMatchObject({ moved: true, head: head(here) });
    expect([untouched(here), untouched(there)]).toEqual(before);
  });

  test('where something was changed nothing moves, and it says so', () => {
    const { here, there } = twoEqual();
    fs.writeFileSync(path.join(there, 'notes/todo.txt'), 'changed there\n');
    fs.writeFileSync(path.join(here, 'notes/todo.txt'), 'changed here\n');
    bk(['-C', here, 'commit', '-m', 'second']);
    const before = snapshot(there);
    const old = head(there);
    const answer = of(bk(['-C', here, 'push'], { expect: [1] }));
    expect(answer).toMatchObject({ head: old, moved: false });
    expect(answer['reason']).toBeTruthy();
    expect(head(there)).toBe(old);
    expect([...snapshot(there)]).toEqual([...before]);
    // History and contents are there all the same, for a merge.
    expect(ref(there, 'refs/remotes/here/main')).toBe(head(here));
    expect(fsckProblems(there)).toEqual([]);
  });

  test('a remote with commits of its own is told, and keeps them', () => {
    const { here, there } = twoEqual();
    for (const root of [here, there]) {
      fs.writeFileSync(path.join(root, `notes/of ${path.basename(root)}.txt`), 'mine\n');
      bk(['-C', root, 'commit', '-m', 'mine']);
    }
    const old = head(there);
    const answer = of(bk(['-C', here, 'push'], { expect: [1] }));
    expect(answer).toMatchObject({ head: old, moved: false, sent: { files: 1, bytes: 5 } });
    expect(head(there)).toBe(old);
    expect(ref(there, 'refs/remotes/here/main')).toBe(head(here));
    expect(ref(here, 'refs/remotes/there/main')).toBe(old);
  });

  test('what is in the way there stays, and is named', () => {
    const { here, there } = twoEqual();
    for (const root of [here, there]) fs.writeFileSync(path.join(root, '.bkignore'), 'own*\n');
    bk(['-C', here, 'commit']);
    fs.rmSync(path.join(there, '.bkignore'));
    bk(['-C', here, 'push', 'there'], { expect: [0] });
    fs.writeFileSync(path.join(there, 'own.txt'), 'theirs, ignored there\n');
    fs.writeFileSync(path.join(here, 'own.txt'), 'ours\n');
    fs.writeFileSync(path.join(here, '.bkignore'), '');
    bk(['-C', here, 'commit']);
    const pushed = of(bk(['-C', here, 'push', 'there'], { expect: [1] }));
    expect(pushed['left']).toMatchObject([{ path: 'own.txt' }]);
    expect(fs.readFileSync(path.join(there, 'own.txt'), 'utf8')).toBe('theirs, ignored there\n');
  });

  test('what turned bad here is not sent, and named', () => {
    const { here, there } = two();
    const file = path.join(here, 'top.bin');
    const { atimeMs, mtimeMs } = fs.statSync(file);
    const bytes = fs.readFileSync(file);
    bytes[7]! ^= 1;
    fs.writeFileSync(file, bytes);
    fs.utimesSync(file, atimeMs / 1000, mtimeMs / 1000);
    const answer = of(bk(['-C', here, 'push'], { expect: [0, 1] }));
    expect(answer['missing']).toMatchObject([{ path: 'top.bin' }]);
    expect(fs.existsSync(path.join(there, 'top.bin'))).toBe(false);
  });

  test('killed anywhere, the next one goes on; nothing wrong ever has its name there', (context) => {
    needsPrograms(context, 'rsync');
    const count = opsOf(['-C', two().here, 'push']).ops.length;
    const points = Array.from({ length: 5 }, (_, i) => Math.max(1, Math.floor((count * (i + 1)) / 6)));
    for (const point of points) {
      const { here, there } = two();
      const hashes = new Set([...snapshot(here).values()].map(({ blake3 }) => blake3));
      const killed = runWithFault(['-C', here, 'push'], { KILL_AT: String(point) });
      // Over ssh the other side may be the one that comes to that point first.
      expect(isOverSsh() ? [137, 4] : [137]).toContain(killed.code);
      for (const { type, blake3 } of snapshot(there).values())
        if (type === 'file') expect(hashes).toContain(blake3);
      bk(['-C', here, 'push'], { expect: [0] });
      expect(rsyncDifferences(here, there), `killed at ${point} of ${count}`).toEqual([]);
      expect(leftovers(there)).toEqual([]);
      expect(bk(['-C', there, 'status']).changes).toEqual([]);
    }
  });
});

describe('sync', () => {
  test('commits, follows what the other did, and sends what it lacks', (context) => {
    needsPrograms(context, 'rsync');
    const { here, there } = twoEqual();
    fs.renameSync(path.join(there, 'photos/2019'), path.join(there, 'photos/old'));
    fs.rmSync(path.join(there, 'bin/run.sh'));
    fs.writeFileSync(path.join(there, 'notes/new.txt'), 'new\n');
    const sent = bk(['-C', there, 'sync', '-m', 'sorted'], { expect: [0] });
    expect(sent['committed']).toMatchObject({ commit: head(there), deletions: { confirmed: 0, kept: 1 } });
    expect(head(here)).toBe(head(there));
    expect(rsyncDifferences(there, here)).toEqual([]);
    // The other way round: what is there already is followed, without a push from there.
    fs.writeFileSync(path.join(there, 'notes/newer.txt'), 'newer\n');
    bk(['-C', there, 'commit', '-m', 'newer']);
    const followed = of(bk(['-C', here, 'sync'], { expect: [0] }));
    expect(followed).toMatchObject({
      standing: 'forward',
      advanced: { result: 'fast-forward', missing: [] },
    });
    expect(rsyncDifferences(there, here)).toEqual([]);
    for (const root of [here, there]) {
      expect(bk(['-C', root, 'status']).changes).toEqual([]);
      expect(fsckProblems(root)).toEqual([]);
      expect(leftovers(root)).toEqual([]);
      for (const one of [here, there]) expect(presence(root, one)).toBe(presence(one, one));
    }
    const still = [untouched(here), untouched(there)];
    expect(bk(['-C', here, 'sync'], { expect: [0] })['committed']).toMatchObject({ commit: null });
    expect([untouched(here), untouched(there)]).toEqual(still);
    expect(run(['-C', here, 'sync']).stdout).toBe('nothing changed\nthere  up to date\n');
  });

  test('histories that went apart are merged, and both have the same', () => {
    const { here, there } = twoEqual();
    for (const root of [here, there])
      fs.writeFileSync(path.join(root, `notes/of ${path.basename(root)}.txt`), 'mine\n');
    bk(['-C', there, 'commit', '-m', 'mine']);
    bk(['-C', here, 'commit', '-m', 'mine']);
    const theirs = head(there);
    expect(of(bk(['-C', here, 'push', 'there'], { expect: [1] }))['reason']).toContain('bk merge there');
    fs.writeFileSync(path.join(here, 'notes/later.txt'), 'not committed\n');
    const answer = bk(['-C', here, 'sync'], { expect: [0] });
    const ours = (answer['committed'] as { commit: string }).commit;
    expect(of(answer)).toMatchObject({ standing: 'diverged', head: theirs, merged: { result: 'merged' } });
    expect(of(answer)['merged']).toMatchObject({
      commit: head(here),
      parents: [ours, theirs].sort(),
      conflicts: [],
    });
    expect(head(there)).toBe(head(here));
    expect(ref(here, 'refs/remotes/there/main')).toBe(head(here));
    expect(ref(there, 'refs/remotes/here/main')).toBe(head(here));
    for (const root of [here, there]) {
      expect(bk(['-C', root, 'status']).changes).toEqual([]);
      for (const name of ['later.txt', 'of here.txt', 'of there.txt'])
        expect(fs.existsSync(path.join(root, 'notes', name))).toBe(true);
      expect(fsckProblems(root)).toEqual([]);
    }
  });

  test('histories that never met are left as they are', () => {
    const { here, there } = twoEqual();
    const alone = path.join(path.dirname(here), 'alone');
    fs.mkdirSync(alone);
    bk(['-C', alone, 'init']);
    fs.writeFileSync(path.join(alone, 'own.txt'), 'own\n');
    bk(['-C', alone, 'commit', '-m', 'own']);
    bk(['-C', here, 'remote', 'add', 'alone', alone]);
    const before = [head(here), head(there), head(alone)];
    const answer = bk(['-C', here, 'sync'], { expect: [1] });
    expect(of(answer, 'alone')).toMatchObject({ standing: 'unrelated' });
    expect(of(answer, 'alone')['reason']).toContain('bk merge alone');
    expect([head(here), head(there), head(alone)]).toEqual(before);
  });

  test('too many deletions from elsewhere are not followed', () => {
    const { here, there } = twoEqual();
    for (let i = 0; i < 30; i++) fs.writeFileSync(path.join(here, `notes/${i}`), `${i}\n`);
    bk(['-C', here, 'sync'], { expect: [0] });
    for (const name of ['photos', 'music', 'notes']) fs.rmSync(path.join(there, name), { recursive: true });
    bk(['-C', there, 'commit', '-m', 'gone', '--confirm-deletions', '--allow-mass-delete']);
    const before = snapshot(here);
    expect(of(bk(['-C', here, 'sync'], { expect: [3] }))).toMatchObject({ refused: true });
    expect(snapshot(here)).toEqual(before);
    expect(of(bk(['-C', there, 'push', 'here'], { expect: [1] }), 'here')).toMatchObject({ moved: false });
    bk(['-C', here, 'sync', '--allow-mass-delete'], { expect: [0] });
    expect(head(here)).toBe(head(there));
    expect(fs.existsSync(path.join(here, 'music'))).toBe(false);
  });

  test('a dry run touches neither side', () => {
    const { here, there } = twoEqual();
    fs.writeFileSync(path.join(there, 'notes/new.txt'), 'new\n');
    bk(['-C', there, 'commit', '-m', 'new']);
    bk(['-C', here, 'fetch']);
    const before = [untouched(here), untouched(there)];
    const tree = snapshot(here);
    const answer = of(bk(['-C', here, 'sync', '--dry-run'], { expect: [0] }));
    expect(answer).toMatchObject({ standing: 'forward', advanced: { applied: { copied: 1 } } });
    fs.writeFileSync(path.join(here, 'notes/mine.txt'), 'mine\n');
    expect(of(bk(['-C', here, 'sync', '--dry-run'], { expect: [0] }))).toMatchObject({
      standing: 'diverged',
      merged: { result: 'merged', commit: null, applied: { copied: 1 } },
    });
    fs.rmSync(path.join(here, 'notes/mine.txt'));
    expect([untouched(here), untouched(there)]).toEqual(before);
    expect(differences(tree, snapshot(here))).toEqual([]);
  });
});

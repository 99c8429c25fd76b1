import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Answer, bk, errorOf, repository, run } from '../support/bk.ts';
import { fsckProblems } from '../support/history.ts';
import { mounted, must, needsFileSystem } from '../support/mounts.ts';
import { hasProgram, needs } from '../support/programs.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';

interface RemoteSeen {
  readonly name: string;
  readonly address: string;
  readonly id: string | null;
  readonly lastSeen: string | null;
  readonly reachable?: boolean;
  readonly about?: {
    readonly head: string | null;
    readonly ahead: number | null;
    readonly behind: number | null;
  };
}

let base: string;
let root: string;
let disk: string;
beforeEach(() => {
  base = temporaryFolder('bk-remote-');
  [root, disk] = [made('photos'), made('disk')];
});

function made(name: string, under = base): string {
  const dir = path.join(under, name);
  fs.mkdirSync(dir);
  fs.writeFileSync(path.join(dir, 'a.txt'), `a of ${name}\n`);
  repository(dir);
  return dir;
}

function remotes(...words: string[]): readonly RemoteSeen[] {
  return (bk(['-C', root, 'remote', ...words]) as unknown as { remotes: RemoteSeen[] }).remotes;
}

function idOf(dir: string): string {
  const { repository } = bk(['-C', dir, 'status']) as Answer & { repository: { id: string } };
  return repository.id;
}

function git(dir: string, ...words: string[]): string {
  return spawnSync('git', ['--git-dir', path.join(dir, '.bk/history'), ...words], {
    encoding: 'utf8',
  }).stdout.trim();
}

describe('bk remote', () => {
  test('adds, lists, shows and removes; twice is as once', () => {
    expect(remotes()).toEqual([]);
    const [added] = remotes('add', 'disk2', disk);
    expect(added).toMatchObject({ name: 'disk2', address: disk, id: idOf(disk), reachable: true });
    expect(Date.parse(added?.lastSeen ?? '')).toBeGreaterThan(Date.now() - 60_000);
    const before = fs.readFileSync(path.join(root, '.bk/config.json'), 'utf8');
    expect(remotes('add', 'disk2', disk)).toMatchObject([{ name: 'disk2', id: idOf(disk) }]);
    expect(fs.readFileSync(path.join(root, '.bk/config.json'), 'utf8')).toBe(before);
    const { reachable: _now, ...known } = added!;
    expect(remotes('list')).toEqual([known]);
    const [shown] = remotes('show', 'disk2');
    expect(shown).toMatchObject({
      name: 'disk2',
      reachable: true,
      about: { name: 'disk', subset: { include: [], exclude: [] }, head: git(disk, 'rev-parse', 'main') },
    });
    expect(remotes('remove', 'disk2')).toEqual([known]);
    expect(remotes()).toEqual([]);
    expect(run(['-C', root, 'remote', 'remove', 'disk2']).code).toBe(2);
  });

  test('a relative address is meant from where the person stands, and stays the same place', () => {
    fs.mkdirSync(path.join(root, 'sub'));
    const done = run(['remote', 'add', 'disk2', '../../disk'], { cwd: path.join(root, 'sub') });
    expect(done.code).toBe(0);
    expect(remotes()).toMatchObject([{ address: disk, id: idOf(disk) }]);
  });

  test('an unplugged one can be added, and is known when it comes', () => {
    const later = path.join(base, 'later');
    const done = run(['-C', root, 'remote', 'add', 'later', later]);
    expect([done.code, done.stderr]).toEqual([0, expect.stringContaining(`cannot reach ${later}`)]);
    expect(remotes()).toEqual([{ name: 'later', address: later, id: null, lastSeen: null }]);
    const away = run(['-C', root, 'remote', 'show', 'later', '--json']);
    expect([away.code, JSON.parse(away.stdout).remotes[0]]).toEqual([
      1,
      expect.objectContaining({ reachable: false, about: null }),
    ]);
    made('later');
    expect(remotes('show', 'later')).toMatchObject([{ reachable: true, id: idOf(later) }]);
  });

  test.each([
    ['this repository', () => ['add', 'me', root], 3],
    ['a name that is taken', () => ['add', 'disk2', '/mnt/x'], 3],
    ['a name that differs by case', () => ['add', 'Disk2', '/mnt/x'], 3],
    ['a repository that is known', () => ['add', 'again', `${disk}/`], 3],
    ['an address that is known', () => ['add', 'again', disk], 3],
    ['a name that cannot be', () => ['add', 'a/b', '/mnt/x'], 2],
    ['a name that is a revision', () => ['add', 'HEAD', '/mnt/x'], 2],
    ['an option for an address', () => ['add', 'x', '--', '-oProxyCommand=x'], 2],
    ['a helper program', () => ['add', 'x', 'ext::sh -c x'], 2],
    ['a password', () => ['add', 'x', 'ssh://ann:secret@nas/x'], 2],
    ['no address', () => ['add', 'x'], 2],
    ['no name', () => ['show'], 2],
    ['another verb', () => ['rename', 'disk2'], 2],
  ])('refuses %s', (_what, words, code) => {
    bk(['-C', root, 'remote', 'add', 'disk2', disk]);
    const before = fs.readFileSync(path.join(root, '.bk/config.json'), 'utf8');
    const done = run(['-C', root, '--json', 'remote', ...words()]);
    expect(done.code, done.stderr).toBe(code);
    expect(errorOf(done).message).toBeTruthy();
    expect(done.stdout + done.stderr).not.toContain('secret');
    expect(fs.readFileSync(path.join(root, '.bk/config.json'), 'utf8')).toBe(before);
  });

  test('remove takes the refs along, packed or not, and nothing else', () => {
    bk(['-C', root, 'remote', 'add', 'disk2', disk]);
    const head = git(root, 'rev-parse', 'main');
    for (const name of ['disk2', 'disk22']) git(root, 'update-ref', `refs/remotes/${name}/main`, head);
    git(root, 'pack-refs', '--all');
    bk(['-C', root, 'remote', 'remove', 'disk2']);
    expect(git(root, 'for-each-ref', '--format=%(refname)', 'refs/remotes', 'refs/heads')).toBe(
      'refs/heads/main\nrefs/remotes/disk22/main',
    );
    expect(fsckProblems(root)).toEqual([]);
  });

  test('another repository that stands at the address now is not taken for it', () => {
    bk(['-C', root, 'remote', 'add', 'disk2', disk]);
    fs.renameSync(disk, `${disk}-old`);
    made('disk');
    const done = run(['-C', root, 'remote', 'show', 'disk2']);
    expect([done.code, done.stdout]).toEqual([1, expect.stringContaining('another repository is at')]);
  });
});

describe('L07: a disk that is lost', () => {
  const lostIn = () =>
    (JSON.parse(fs.readFileSync(path.join(root, '.bk/config.json'), 'utf8')) as { lost?: object }).lost;
  /** Exit code of covered, and whether it says so: a folder on the volume of `root`, so only other disks count. */
  const covered = (card: string): readonly [number, unknown] => {
    const done = run(['-C', root, '--json', 'covered', card]);
    return [done.code, (JSON.parse(done.stdout) as { wipeable: boolean }).wipeable];
  };
  const list = () => bk(['-C', root, 'remote']) as Answer & { remotes: object[]; lost?: object[] };

  test('counts as no copy, also when it reappears, until all was verified there', (context) => {
    const far = path.join(fastFolder('bk-lost-'), 'far');
    needs(
      context,
      'memory (/dev/shm) beside the temporary folder',
      fs.statSync(base).dev !== fs.statSync(path.dirname(far)).dev,
    );
    bk(['-C', root, 'clone', far]);
    bk(['-C', root, 'fetch']);
    const card = path.join(base, 'card');
    fs.mkdirSync(card);
    fs.copyFileSync(path.join(root, 'a.txt'), path.join(card, 'A.TXT'));
    fs.renameSync(far, `${far}-dead`);
    expect(covered(card)).toEqual([0, true]);
    bk(['-C', root, 'remote', 'remove', 'far']);
    expect(covered(card)).toEqual([0, true]);

    const told = run(['-C', root, 'remote', 'remove', 'far', '--lost']);
    expect([told.code, told.stdout]).toEqual([0, expect.stringContaining('far is lost since 20')]);
    expect(covered(card)).toEqual([1, false]);
    expect(run(['-C', root, 'copies']).code).toBe(1);
    expect(list()).toMatchObject({
      remotes: [],
      lost: [{ name: 'far', id: idOf(`${far}-dead`), lost: true }],
    });
    expect(run(['-C', root, 'remote']).stdout).toMatch(/^far +no remote +lost since 20/);
    const before = fs.readFileSync(path.join(root, '.bk/config.json'), 'utf8');
    bk(['-C', root, 'remote', 'remove', 'far', '--lost']);
    expect(fs.readFileSync(path.join(root, '.bk/config.json'), 'utf8')).toBe(before);

    fs.renameSync(`${far}-dead`, far);
    const added = run(['-C', root, 'remote', 'add', 'far', far]);
    expect([added.code, added.stderr]).toEqual([0, expect.stringContaining('`bk verify` there')]);
    bk(['-C', root, 'fetch']);
    expect(covered(card)).toEqual([1, false]);
    expect(list().remotes).toMatchObject([{ name: 'far', lost: true, lostSince: expect.any(String) }]);
    expect(run(['-C', root, 'remote', 'show', 'far']).stdout).toMatch(/counts +no: lost since/);

    bk(['-C', far, 'verify']);
    expect(covered(card)).toEqual([1, false]);
    bk(['-C', root, 'fetch']);
    expect(covered(card)).toEqual([0, true]);
    expect(run(['-C', root, 'copies']).code).toBe(0);
    expect(lostIn()).toBeUndefined();
    expect(list().remotes).toEqual([expect.not.objectContaining({ lost: true })]);
    fs.writeFileSync(path.join(far, 'new.txt'), 'never verified\n');
    bk(['-C', far, 'commit', '-m', 'new']);
    bk(['-C', far, 'verify', 'a.txt']);
    bk(['-C', root, 'fetch']);
    expect(covered(card)).toEqual([0, true]);
  });

  test('with rot on it goes on being lost', () => {
    const far = path.join(base, 'far');
    bk(['-C', root, 'clone', far]);
    bk(['-C', root, 'remote', 'remove', 'far', '--lost']);
    must(['cp', '-p', path.join(far, 'a.txt'), path.join(base, 'times')]);
    fs.writeFileSync(path.join(far, 'a.txt'), 'A of photos\n');
    must(['touch', '-r', path.join(base, 'times'), path.join(far, 'a.txt')]);
    expect(run(['-C', far, 'verify']).code).toBe(1);
    bk(['-C', root, 'remote', 'add', 'far', far]);
    bk(['-C', root, 'fetch']);
    expect(list().remotes).toMatchObject([{ name: 'far', lost: true }]);
    expect(Object.keys(lostIn() ?? {})).toEqual([idOf(far)]);
  });

  test.each([
    ['another verb', ['list', '--lost'], 2],
    ['a name that nobody has', ['remove', 'nobody', '--lost'], 2],
    ['this repository', ['remove', 'photos', '--lost'], 3],
    ['one that was never reached', ['remove', 'never', '--lost'], 3],
  ])('refuses %s', (_what, words, code) => {
    bk(['-C', root, 'remote', 'add', 'never', '/mnt/never']);
    const done = run(['-C', root, '--json', 'remote', ...words]);
    expect([done.code, lostIn()], done.stderr).toEqual([code, undefined]);
  });
});

describe('a repository that was copied by another program', () => {
  test('says so once and is another one', () => {
    const copy = path.join(base, 'copy');
    must(['cp', '-a', root, copy]);
    const first = run(['-C', copy, 'status']);
    expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('this is a copy of “photos”')]);
    expect(first.stderr.match(/this is a copy/g)).toHaveLength(1);
    expect(run(['-C', copy, 'status']).stderr).toBe('');
    expect(idOf(copy)).not.toBe(idOf(root));
    expect(remotes('add', 'copy', copy)).toMatchObject([{ id: idOf(copy), reachable: true }]);
    fs.writeFileSync(path.join(copy, 'b.txt'), 'b\n');
    bk(['-C', copy, 'commit', '-m', 'in the copy']);
    expect(git(copy, 'log', '-1', '--format=%B')).toContain(`Bk-Repository: ${idOf(copy)}`);
    expect(remotes('show', 'copy')).toMatchObject([{ about: { ahead: null, behind: null } }]);
    expect(fsckProblems(copy)).toEqual([]);
  });
});

describe('doctor', () => {
  test.for(['ext4', 'xfs', 'btrfs', 'exfat'] as const)(
    'names the volume (%s) as other programs do',
    (type, context) => {
      needsFileSystem(context, type);
      const point = mounted(type);
      const there = made('there', point);
      const answer = bk(['-C', there, 'doctor']) as unknown as {
        volume: string;
        checks: { name: string; ok: boolean; detail: string }[];
      };
      const check = answer.checks.find(({ name }) => name === 'volume-id');
      expect(check).toMatchObject({ ok: true, detail: expect.stringContaining(answer.volume) });
      const image = path.join(path.dirname(point), 'image');
      if (!hasProgram('blkid')) return;
      const said = spawnSync('blkid', ['-p', '-s', 'UUID', '-o', 'value', image], {
        encoding: 'utf8',
      }).stdout;
      expect(answer.volume).toBe(said.trim().toLowerCase());
    },
  );
});

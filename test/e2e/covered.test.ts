import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { beforeEach, describe, expect, type TestContext, test } from 'vitest';
import { type Answer, bk, errorOf, type RunOptions, repository, run } from '../support/bk.ts';
import { KILLED, opsOf, runWithFault, stratified } from '../support/faults.ts';
import { must } from '../support/mounts.ts';
import { idOf } from '../support/presence.ts';
import { needs, needsPrograms, needsRoot } from '../support/programs.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';
import { knowUnplugged } from '../support/unplugged.ts';

interface Covered extends Answer {
  readonly files: number;
  readonly bytes: number;
  readonly covered: { readonly files: number; readonly bytes: number };
  readonly under: readonly { readonly path: string; readonly copies: number }[];
  readonly unique: readonly { readonly path: string; readonly blake3: string; readonly encoded?: boolean }[];
  readonly read: { readonly files: number };
  readonly imported: {
    readonly done: readonly { readonly path: string; readonly from: string }[];
    readonly failed: readonly { readonly path: string; readonly reason: string }[];
  };
}

let root: string;
/** In memory: another volume than the repository's. */
let card: string;

beforeEach(() => {
  root = path.join(temporaryFolder('bk-covered-'), 'repo');
  card = path.join(fastFolder('bk-card-'), 'card');
  fs.mkdirSync(path.join(root, 'photos/2019'), { recursive: true });
  fs.mkdirSync(path.join(card, 'DCIM'), { recursive: true });
  for (const n of [1, 2, 3, 4]) fs.writeFileSync(path.join(root, `photos/2019/${n}.jpg`), picture(n));
  repository(root);
});

function picture(n: number): string {
  return `picture ${n} `.repeat(5_000);
}

function onCard(name: string, content: string): string {
  const file = path.join(card, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
  return file;
}

function needsTwoVolumes(context: Pick<TestContext, 'skip'>): void {
  needs(
    context,
    'memory (/dev/shm) beside the temporary folder',
    fs.statSync(root).dev !== fs.statSync(card).dev,
  );
}

/** The answer, with the exit code that says whether the card can be wiped. */
function covered(
  args: readonly string[] = [],
  options: RunOptions = {},
): Covered & { readonly code: number } {
  const done = run(['-C', root, '--json', 'covered', card, ...args], options);
  expect([0, 1], done.stderr).toContain(done.code);
  return { ...(JSON.parse(done.stdout) as Covered), code: done.code };
}

const uniquePaths = (answer: Covered): string[] => answer.unique.map((one) => one.path);

describe('what is on the card', () => {
  test('known, renamed, edited, rotten, unique, empty files and links, as a hand-made join of hashes says', (context) => {
    needsTwoVolumes(context);
    onCard('DCIM/1.jpg', picture(1));
    onCard('DCIM/other name.jpg', picture(2));
    onCard('DCIM/unique.jpg', 'unique');
    onCard('DCIM/unique again.jpg', 'unique');
    onCard('empty', '');
    fs.symlinkSync('DCIM/1.jpg', path.join(card, 'link'));
    const rotten = onCard('DCIM/rotten.jpg', picture(3).replace('picture 3', 'pictuRe 3'));
    const { mtime } = fs.statSync(path.join(root, 'photos/2019/3.jpg'));
    fs.utimesSync(rotten, mtime, mtime);
    const answer = covered();
    const known = new Set([...snapshot(root).values()].map(({ blake3 }) => blake3));
    const wanted = [...snapshot(card)].filter(
      ([, { type, size, blake3 }]) =>
        type !== 'dir' && (size > 0 || type === 'symlink') && !known.has(blake3),
    );
    expect(answer.unique.map(({ path: at, blake3 }) => [at, blake3])).toEqual(
      wanted.map(([at, { blake3 }]) => [at, blake3]).sort(),
    );
    expect(uniquePaths(answer)).toEqual([
      'DCIM/rotten.jpg',
      'DCIM/unique again.jpg',
      'DCIM/unique.jpg',
      'link',
    ]);
    expect(answer).toMatchObject({
      code: 1,
      files: 7,
      covered: { files: 3 },
      wipeable: false,
      unreadable: [],
    });
    expect(fs.existsSync(path.join(card, '.bk'))).toBe(false);
  });

  test('all of it is safe: exit 0, and nothing was changed on either side', (context) => {
    needsTwoVolumes(context);
    onCard('a.jpg', picture(1));
    onCard('DCIM/deep/er/b.jpg', picture(1));
    const before = [snapshot(card), snapshot(root)];
    expect(covered()).toMatchObject({ code: 0, files: 2, covered: { files: 2 }, wipeable: true, unique: [] });
    const told = run(['-C', root, 'covered', card]);
    expect([told.code, told.stdout]).toEqual([0, expect.stringContaining('It can be wiped.')]);
    expect([snapshot(card), snapshot(root)]).toEqual(before);
  });

  test('names of any bytes', (context) => {
    needsTwoVolumes(context);
    fs.writeFileSync(Buffer.from(`${card}/caf\xe9\n%`, 'latin1'), 'odd');
    onCard('.git/config', 'git');
    onCard('été.jpg', 'summer');
    const { unique } = covered();
    expect(unique.map(({ path: at, encoded = false }) => [at, encoded])).toEqual([
      ['.git/config', false],
      ['caf%E9%0A%25', true],
      ['été.jpg', false],
    ]);
  });

  test('one file under several names is read once', (context) => {
    needsTwoVolumes(context);
    fs.linkSync(onCard('a', picture(1)), path.join(card, 'b'));
    expect(covered()).toMatchObject({ code: 0, files: 2, read: { files: 1 } });
  });

  test('what holds no data does not stand in the way; what cannot be read does', (context) => {
    needsTwoVolumes(context);
    needsRoot(context);
    needsPrograms(context, 'setpriv', 'mkfifo');
    onCard('a', picture(1));
    must(['mkfifo', path.join(card, 'pipe')]);
    must(['chown', '-R', '65534:65534', path.dirname(root), path.dirname(card)]);
    const nobody = { through: ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] };
    for (const folder of [path.dirname(root), path.dirname(card)]) fs.chmodSync(folder, 0o755);
    expect(covered([], nobody)).toMatchObject({ code: 0, skipped: [{ path: 'pipe' }] });
    fs.chmodSync(path.join(card, 'a'), 0);
    fs.chmodSync(path.join(card, 'DCIM'), 0);
    expect(covered([], nobody)).toMatchObject({
      code: 1,
      wipeable: false,
      unique: [],
      unreadable: [
        { path: 'DCIM', reason: 'permission denied' },
        { path: 'a', reason: 'permission denied' },
      ],
    });
    fs.chmodSync(path.join(card, 'DCIM'), 0o755);
  });

  test('there is no such folder, or it is none', () => {
    const missing = run(['-C', root, '--json', 'covered', '/no/such/folder']);
    expect([missing.code, errorOf(missing).code]).toEqual([4, 'not-found']);
    expect(run(['-C', root, 'covered', path.join(root, 'photos/2019/1.jpg')]).code).toBe(2);
    expect(run(['-C', root, 'covered', card, '--min', '0']).code).toBe(2);
  });
});

describe('what counts as safe', () => {
  beforeEach((context) => {
    needsTwoVolumes(context);
    onCard('1.jpg', picture(1));
  });

  test('by volumes: two repositories on one are one', () => {
    expect(covered(['--min', '2'])).toMatchObject({
      code: 1,
      under: [{ path: '1.jpg', copies: 1 }],
      unique: [],
    });
    knowUnplugged(root, 'a', { name: 'disk', volume: 'v-disk' });
    knowUnplugged(root, 'b', { name: 'same disk', volume: 'v-disk' });
    expect(covered(['--min', '2'])).toMatchObject({ code: 0, under: [] });
    expect(covered(['--min', '3'])).toMatchObject({ code: 1, under: [{ path: '1.jpg', copies: 2 }] });
  });

  test('a disk that is not plugged in counts; the safety net and old commits do not', () => {
    knowUnplugged(root, 'a', { name: 'disk', volume: 'v-disk' });
    onCard('new.jpg', 'new');
    fs.writeFileSync(path.join(root, 'new.jpg'), 'new');
    bk(['-C', root, 'commit', '-m', 'second']);
    expect(covered().code).toBe(0);
    fs.rmSync(path.join(root, 'new.jpg'));
    fs.rmSync(path.join(root, 'photos'), { recursive: true });
    bk(['-C', root, 'commit', '-m', 'third', '--keep-deletions', '--allow-mass-delete']);
    expect(covered()).toMatchObject({ code: 1, covered: { files: 1 }, unique: [{ path: 'new.jpg' }] });
  });

  test.for([
    ['gone', (file: string) => fs.rmSync(file)],
    ['edited', (file: string) => fs.appendFileSync(file, 'x')],
    ['behind a link', (file: string) => moveAndLink(path.dirname(file))],
  ] as const)('a committed file that is %s now is no copy', ([, change]) => {
    change(path.join(root, 'photos/2019/1.jpg'));
    expect(uniquePaths(covered())).toEqual(['1.jpg']);
  });

  test('what is not committed is no copy', () => {
    onCard('new.jpg', 'new');
    fs.writeFileSync(path.join(root, 'new.jpg'), 'new');
    expect(uniquePaths(covered())).toEqual(['new.jpg']);
  });

  test('a folder of the repository itself, and one on its volume, have no copy in it', () => {
    for (const dir of [path.join(root, 'photos'), root, path.dirname(root)]) {
      const { unique } = bk(['-C', root, 'covered', dir]) as Covered;
      expect(unique).toHaveLength(4);
    }
    knowUnplugged(root, 'a', { name: 'disk', volume: 'v-disk' });
    expect(bk(['-C', root, 'covered', root])).toMatchObject({ wipeable: true, skipped: [{ path: '.bk' }] });
    const refused = run(['-C', root, 'covered', path.join(root, 'photos'), '--import', 'x']);
    expect(refused.code).toBe(3);
  });

  test('a repository on the card is no copy elsewhere, whatever volume it said', () => {
    repository(card);
    const id = idOf(card) ?? '';
    knowUnplugged(root, 'a', { name: 'card', volume: 'v-elsewhere' });
    fs.rmSync(path.join(root, 'photos/2019/1.jpg'));
    expect(covered()).toMatchObject({ code: 0, skipped: [{ path: '.bk' }] });
    const config = path.join(card, '.bk/config.json');
    fs.writeFileSync(
      config,
      fs.readFileSync(config, 'utf8').replace(id, 'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa'),
    );
    expect(uniquePaths(covered())).toEqual(['1.jpg']);
  });

  test('a copy of the whole repository on the card does not make the repository no copy', () => {
    fs.rmSync(card, { recursive: true });
    must(['cp', '-a', root, card]);
    expect(covered()).toMatchObject({ code: 0, files: 4, covered: { files: 4 }, skipped: [{ path: '.bk' }] });
  });
});

function moveAndLink(folder: string): void {
  fs.renameSync(folder, `${folder}-moved`);
  fs.symlinkSync(`${folder}-moved`, folder);
}

describe('a second run', () => {
  beforeEach((context) => {
    needsTwoVolumes(context);
    for (const n of [1, 2, 3, 4]) onCard(`DCIM/${n % 2}/${n}.jpg`, picture(n));
    expect(covered()).toMatchObject({ code: 0, read: { files: 4 } });
  });

  test('reads nothing, nor after a new index', () => {
    expect(covered()).toMatchObject({ code: 0, files: 4, read: { files: 0, bytes: 0 } });
    bk(['-C', root, 'reindex']);
    expect(covered()).toMatchObject({ code: 0, read: { files: 0 } });
    expect(bk(['-C', root, 'check'])).toMatchObject({ ok: true });
  });

  test('reads what is new or changed, also if its time was set back', () => {
    const file = path.join(card, 'DCIM/1/3.jpg');
    const { mtime } = fs.statSync(file);
    fs.writeFileSync(file, picture(3).replace('picture', 'pictuRe'));
    fs.utimesSync(file, mtime, mtime);
    onCard('DCIM/1/new.jpg', 'new');
    const answer = covered();
    expect(answer).toMatchObject({ code: 1, read: { files: 2 } });
    expect(uniquePaths(answer)).toEqual(['DCIM/1/3.jpg', 'DCIM/1/new.jpg']);
  });

  test('of a part of the card reads nothing; and all of it if the cache is gone', () => {
    const part = bk(['-C', root, 'covered', path.join(card, 'DCIM/1')]) as Covered;
    expect(part).toMatchObject({ files: 2, read: { files: 0 } });
    for (const name of fs.readdirSync(path.join(root, '.bk')))
      if (name.startsWith('cards.')) fs.rmSync(path.join(root, '.bk', name));
    expect(covered()).toMatchObject({ code: 0, read: { files: 4 } });
  });
});

describe('--import', () => {
  beforeEach((context) => {
    needsTwoVolumes(context);
    onCard('DCIM/1.jpg', picture(1));
    onCard('DCIM/new.jpg', 'new');
    onCard('DCIM/same as new.jpg', 'new');
    onCard('DCIM/clash.jpg', 'from the card');
    fs.symlinkSync('nowhere\xff', path.join(card, 'DCIM/link'));
    fs.chmodSync(path.join(card, 'DCIM/new.jpg'), 0o640);
    must(['touch', '-d', '2019-05-06 07:08:09.123456789 UTC', path.join(card, 'DCIM/new.jpg')]);
    fs.mkdirSync(path.join(root, 'in/DCIM'), { recursive: true });
    fs.writeFileSync(path.join(root, 'in/DCIM/clash.jpg'), 'of the person');
  });

  test('copies each unique content once, exact and never over anything; after a commit the card can be wiped', () => {
    const before = snapshot(root);
    const planned = covered(['--import', 'in', '--dry-run']).imported;
    expect(snapshot(root)).toEqual(before);
    const { imported, code } = covered(['--import', 'in']);
    expect(imported).toEqual(planned);
    expect(code).toBe(1);
    const [clash] = imported.done.filter(({ from }) => from === 'DCIM/clash.jpg');
    expect(clash?.path).toMatch(/^in\/DCIM\/clash \(imported \d{4}-\d\d-\d\d\)\.jpg$/);
    expect(imported.done.map(({ from }) => from)).toEqual(['DCIM/clash.jpg', 'DCIM/link', 'DCIM/new.jpg']);
    const now = snapshot(root);
    const there = snapshot(card);
    for (const { path: at, from } of imported.done) {
      const { inode: _, ...is } = now.get(at) ?? { inode: 0 };
      const { inode: __, ...was } = there.get(from) ?? { inode: 0 };
      expect({ [at]: is }).toEqual({ [at]: was });
    }
    expect(fs.readFileSync(path.join(root, 'in/DCIM/clash.jpg'), 'utf8')).toBe('of the person');
    expect(covered(['--import', 'in']).imported).toMatchObject({ done: [], failed: [] });
    expect(snapshot(root)).toEqual(now);
    expect(fs.readdirSync(path.join(root, '.bk/staging'))).toEqual([]);
    bk(['-C', root, 'commit', '-m', 'imported']);
    expect(covered()).toMatchObject({ code: 0, unique: [] });
  });

  test('killed anywhere, `check` is calm and the same command completes it', () => {
    const pristine = `${root}.pristine`;
    must(['cp', '-a', root, pristine]);
    const start = () => {
      fs.rmSync(root, { recursive: true });
      must(['cp', '-a', pristine, root]);
      bk(['-C', root, 'status']); // the copy becomes a repository of its own
    };
    start();
    const args = ['-C', root, 'covered', card, '--import', 'in'];
    const { ops } = opsOf(args);
    const wanted = snapshot(root);
    const sweep = process.env['BK_SWEEP'] !== undefined;
    const points = stratified(ops, 5).filter((_, i, all) => sweep || i % Math.ceil(all.length / 5) === 0);
    for (const n of points) {
      start();
      const at = `killed at ${n}, ${ops[n - 1]?.name} ${ops[n - 1]?.subject}`;
      expect(runWithFault(args, { KILL_AT: String(n) }).code, at).toBe(KILLED);
      expect(bk(['-C', root, 'check'], { expect: [0] })['problems'], at).toEqual([]);
      expect(covered(['--import', 'in']).imported.failed, at).toEqual([]);
      expect(differences(wanted, snapshot(root), { inode: false }), at).toEqual([]);
      expect(fs.readdirSync(path.join(root, '.bk/staging')), at).toEqual([]);
    }
  });

  test('names what it cannot take, and takes the rest', () => {
    onCard('.BK/x', 'reserved');
    fs.rmSync(path.join(root, 'in'), { recursive: true });
    fs.writeFileSync(path.join(root, 'in'), 'a file');
    onCard('top', 'top');
    const { imported } = covered(['--import', 'in']);
    expect(imported.done).toEqual([]);
    expect(imported.failed.map((one) => one.path).sort()).toEqual([
      '.BK/x',
      'DCIM/clash.jpg',
      'DCIM/link',
      'DCIM/new.jpg',
      'top',
    ]);
    expect(fs.readFileSync(path.join(root, 'in'), 'utf8')).toBe('a file');
    const elsewhere = covered(['--import', 'other']).imported;
    expect(elsewhere.failed.map((one) => one.path)).toEqual(['.BK/x']);
    expect(elsewhere.done).toHaveLength(4);
  });
});

import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { type Answer, bk, errorOf, type RunOptions, repository, run } from '../support/bk.ts';
import { must } from '../support/mounts.ts';
import { needsPrograms } from '../support/programs.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { hasSshd, needsSshd, Sshd } from '../support/sshd.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';
import { id, of, rsyncDifferences } from '../support/two.ts';

let sshd: Sshd;
beforeAll(async () => {
  if (hasSshd()) sshd = await Sshd.start();
});

/** bk as the client of that sshd. */
function client(args: readonly string[], options: RunOptions & { expect?: readonly number[] } = {}): Answer {
  return bk(args, { ...options, env: { ...sshd.env, ...options.env } });
}

/** A repository with a small tree, on a file system of its own where there is memory beside the disk. */
function tree(): string {
  const root = path.join(fastFolder('bk-there-'), 'there');
  smallTree(root);
  repository(root);
  return root;
}

/** A repository, and its clone by ssh, which knows the other as `origin`. */
function pair(under = fastFolder('bk-here-')): { here: string; there: string } {
  const there = tree();
  const here = path.join(under, 'here');
  client(['clone', sshd.address(there), here], { expect: [0] });
  return { here, there };
}

function where(root: string, file: string): string[] {
  const { files } = bk(['-C', root, 'where', file]) as unknown as {
    files: { copies: { repository: string }[] }[];
  };
  return files[0]!.copies.map(({ repository }) => repository).sort();
}

describe('a clone over ssh', () => {
  test('has everything, and its source knows what it holds', (context) => {
    needsSshd(context);
    const there = path.join(fastFolder('bk-there-'), "with spaces; $(touch x) 'ü'");
    smallTree(there);
    repository(there);
    const here = path.join(fastFolder('bk-here-'), 'here');
    const made = client(['clone', sshd.address(there), here], { expect: [0] });
    expect(made['missing']).toEqual([]);
    expect(differences(snapshot(there), snapshot(here), { inode: false })).toEqual([]);
    expect(bk(['-C', here, 'status'], { expect: [0] }).changes).toEqual([]);
    expect(client(['-C', here, 'remote', 'list'])['remotes']).toMatchObject([
      { name: 'origin', address: sshd.address(there), id: id(there) },
    ]);
    const [file] = Object.keys(Object.fromEntries(snapshot(there))).filter((name) =>
      fs.lstatSync(path.join(there, name)).isFile(),
    );
    expect(where(there, file!)).toEqual([id(here), id(there)].sort());
    expect(fs.readdirSync(sshd.files.home)).toEqual([]);
  });

  test('goes there too, in part too; both know each other', (context) => {
    needsSshd(context);
    const here = tree();
    const base = fastFolder('bk-there-');
    const whole = path.join(base, 'whole');
    const made = client(['-C', here, 'clone', '--origin', here, sshd.address(whole)], { expect: [0] });
    expect(made).toMatchObject({ root: sshd.address(whole), id: id(whole), missing: [] });
    expect(rsyncDifferences(here, whole)).toEqual([]);
    expect(bk(['-C', whole, 'status'], { expect: [0] }).changes).toEqual([]);
    expect(bk(['-C', whole, 'remote'])['remotes']).toMatchObject([{ name: 'origin', address: here }]);

    const [folder] = fs.readdirSync(here).filter((name) => /^[a-z]+$/i.test(name));
    const words = ['--subset', folder!, '--exclude', '**/*.md', '--name', 'part'];
    const dry = client(['-C', here, 'clone', '--dry-run', ...words, sshd.address(path.join(base, 'part'))]);
    expect(fs.readdirSync(base)).toEqual(['whole']);
    const part = client(['-C', here, 'clone', ...words, sshd.address(path.join(base, 'part'))], {
      expect: [0],
    });
    expect([part['files'], part['bytes']]).toEqual([dry['files'], dry['bytes']]);
    expect(bk(['-C', path.join(base, 'part'), 'remote'])['remotes']).toEqual([]);
    expect(bk(['-C', path.join(base, 'part'), 'subset'])).toMatchObject({ include: [folder] });
    expect(bk(['-C', path.join(base, 'part'), 'check'], { expect: [0] })['problems']).toEqual([]);
    expect(bk(['-C', here, 'remote'])['remotes']).toMatchObject([
      { name: 'part', address: sshd.address(path.join(base, 'part')), id: part['id'] },
      { name: 'whole', id: id(whole) },
    ]);
    // Again: done already.
    expect(
      client(['-C', here, 'clone', ...words, sshd.address(path.join(base, 'part'))], { expect: [0] }),
    ).toMatchObject({ id: part['id'], files: part['files'] });
    client(['-C', here, 'push'], { expect: [0] });
  });
});

test('a dry run says what would come, as of a folder at hand, and moves no content', (context) => {
  needsSshd(context);
  const there = tree();
  fs.writeFileSync(path.join(there, 'large'), Buffer.alloc(9_000_000, 'large'));
  bk(['-C', there, 'commit', '-m', 'large'], { expect: [0] });
  const dst = path.join(fastFolder('bk-here-'), 'here');
  const temporary = fastFolder('bk-tmp-');
  const { env, moved } = sshd.counting();
  const words = ['clone', '--dry-run', sshd.address(there), dst];
  const options = { env: { ...env, TMPDIR: temporary } };
  const dry = bk(words, { ...options, expect: [0] });
  expect(dry).toEqual(bk(['clone', '--dry-run', there, dst], { expect: [0] }));
  expect(run(words, options).stdout).toMatch(/^would copy [0-9]+ files, .* to \//);
  expect(moved().received).toBeLessThan(1_000_000);
  // Between two others: the bk here looks.
  const elsewhere = sshd.address(dst);
  expect(bk(['clone', '--dry-run', sshd.address(there), elsewhere], options)).toEqual({
    ...dry,
    root: elsewhere,
  });
  expect([fs.existsSync(dst), fs.readdirSync(temporary)]).toEqual([false, []]);
  expect(client(['clone', sshd.address(there), dst], { expect: [0] })).toMatchObject({
    commit: dry['commit'],
    files: dry['files'],
    bytes: dry['bytes'],
  });
});

/** 64 MiB of which three blocks are written. */
function sparseFile(file: string, text: string): void {
  const fd = fs.openSync(file, 'wx');
  for (const at of [0, (20 << 20) + 123, (64 << 20) - text.length]) fs.writeSync(fd, text, at);
  fs.closeSync(fd);
}

test('holes stay holes, whichever way they go', (context) => {
  needsSshd(context);
  needsPrograms(context, 'rsync');
  const { here, there } = pair();
  /** It takes no more room than where rsync is told to make holes, but for some blocks. */
  const room = (root: string, name: string): void => {
    const rsynced = path.join(fastFolder('bk-rsync-'), name);
    must(['rsync', '-aS', '-e', sshd.files.ssh, `user:${path.join(root, name)}`, rsynced]);
    for (const each of [here, there]) {
      expect(fs.statSync(path.join(each, name)).size).toBe(64 << 20);
      const { blocks } = fs.statSync(path.join(each, name));
      expect(blocks, each).toBeLessThanOrEqual(fs.statSync(rsynced).blocks + 64);
    }
    expect(rsyncDifferences(here, there)).toEqual([]);
  };
  sparseFile(path.join(here, 'pushed'), 'pushed');
  bk(['-C', here, 'commit', '-m', 'here']);
  client(['-C', here, 'push', 'origin'], { expect: [0] });
  room(there, 'pushed');
  for (const name of ['merged', 'merged, too']) sparseFile(path.join(there, name), 'merged');
  bk(['-C', there, 'commit', '-m', 'there']);
  client(['-C', here, 'sync'], { expect: [0] });
  for (const name of ['merged', 'merged, too']) room(there, name);
  const folder = fastFolder('bk-clones-');
  const [from, to] = [path.join(folder, 'from'), path.join(folder, 'to')];
  client(['clone', sshd.address(there), from], { expect: [0] });
  client(['-C', here, 'clone', sshd.address(to)], { expect: [0] });
  for (const root of [from, to]) {
    const blocks = ['pushed', 'merged', 'merged, too'].map(
      (name) => fs.statSync(path.join(root, name)).blocks,
    );
    expect(Math.max(...blocks), root).toBeLessThan(128);
    expect(rsyncDifferences(here, root)).toEqual([]);
  }
});

describe('over ssh', () => {
  test('fetch, push, merge and sync', (context) => {
    needsSshd(context);
    const { here, there } = pair();
    fs.writeFileSync(path.join(here, 'new here'), 'here');
    fs.writeFileSync(path.join(here, 'large here'), Buffer.alloc(9_000_000, 'large'));
    bk(['-C', here, 'commit', '-m', 'here']);
    const pushed = of(client(['-C', here, 'push', 'origin'], { expect: [0] }), 'origin');
    expect(pushed).toMatchObject({ moved: true, left: [], missing: [], sent: { files: 2 } });
    expect(rsyncDifferences(here, there)).toEqual([]);
    fs.writeFileSync(path.join(there, 'new there'), 'there');
    bk(['-C', there, 'commit', '-m', 'there']);
    expect(of(client(['-C', here, 'fetch', 'origin'], { expect: [0] }), 'origin')).toMatchObject({
      moved: true,
    });
    fs.writeFileSync(path.join(here, 'new here too'), 'here too');
    bk(['-C', here, 'commit', '-m', 'here too']);
    client(['-C', here, 'merge', 'origin'], { expect: [0] });
    expect(fs.readFileSync(path.join(here, 'new there'), 'utf8')).toBe('there');
    fs.writeFileSync(path.join(here, 'more'), 'more');
    client(['-C', here, 'sync'], { expect: [0] });
    expect(rsyncDifferences(here, there)).toEqual([]);
  });

  test('what did not follow there is named', (context) => {
    needsSshd(context);
    const { here, there } = pair();
    fs.writeFileSync(path.join(here, 'both'), 'here');
    bk(['-C', here, 'commit', '-m', 'here']);
    fs.writeFileSync(path.join(there, '.bkignore'), 'both\n');
    bk(['-C', there, 'commit', '-m', 'ignores']);
    fs.writeFileSync(path.join(there, 'both'), 'there');
    client(['-C', here, 'merge', 'origin'], { expect: [0] });
    const pushed = of(client(['-C', here, 'push', 'origin']), 'origin');
    expect(pushed).toMatchObject({ moved: true, left: [{ path: 'both' }] });
    expect(fs.readFileSync(path.join(there, 'both'), 'utf8')).toBe('there');
  });

  test('get, drop with proof, repair, recover and covered', (context) => {
    needsSshd(context);
    const { here, there } = pair(temporaryFolder('bk-here-'));
    const file = path.join(here, 'precious');
    fs.writeFileSync(file, 'precious');
    client(['-C', here, 'sync', '-m', 'precious'], { expect: [0] });
    expect(client(['-C', here, 'drop', 'precious'], { expect: [3] })['done']).toEqual([]);
    const dropped = client(['-C', here, 'drop', '--copies', '1', 'precious'], { expect: [0] });
    expect(dropped['done']).toMatchObject([{ path: 'precious' }]);
    expect(fs.existsSync(file)).toBe(false);
    client(['-C', here, 'get', 'precious'], { expect: [0] });
    expect(fs.readFileSync(file, 'utf8')).toBe('precious');

    // Rot here: the same size and time, another content; the safety net's link rots with it.
    const { mtimeNs } = fs.statSync(file, { bigint: true });
    const fd = fs.openSync(file, 'r+');
    fs.writeSync(fd, 'PRECIOUS', 0);
    fs.closeSync(fd);
    must([
      'touch',
      '-d',
      `@${mtimeNs / 1_000_000_000n}.${String(mtimeNs % 1_000_000_000n).padStart(9, '0')}`,
      file,
    ]);
    bk(['-C', here, 'verify', 'precious'], { expect: [1] });
    client(['-C', here, 'repair', 'precious'], { expect: [0] });
    expect(fs.readFileSync(file, 'utf8')).toBe('precious');

    fs.rmSync(file);
    fs.rmSync(path.join(here, '.bk/safety'), { recursive: true });
    const recovered = client(['-C', here, 'recover', 'precious'], { expect: [0] }).recovered;
    expect(recovered).toMatchObject([{ path: 'precious' }]);
    expect(fs.readFileSync(file, 'utf8')).toBe('precious');

    const card = temporaryFolder('bk-card-');
    fs.copyFileSync(path.join(there, 'precious'), path.join(card, 'IMG'));
    const covered = client(['-C', here, 'covered', card], { expect: [0, 1] });
    expect(covered).toMatchObject({ files: 1, unique: [] });
  });
});

test('an address that nobody answers at is told as ssh tells it', (context) => {
  needsSshd(context);
  const said = (address: string, env: Readonly<Record<string, string>> = {}) => {
    const done = run(['--json', 'clone', address, path.join(temporaryFolder('bk-none-'), 'x')], {
      env: { ...sshd.env, ...env },
    });
    expect([done.code, done.stdout]).toEqual([4, '']);
    return errorOf(done);
  };
  expect(said(sshd.address('/nowhere/at all'))).toMatchObject({
    code: 'unreachable',
    message: `cannot reach ${sshd.address('/nowhere/at all')}: there is no repository now`,
  });
  expect(said(sshd.address('/x', 'stranger')).message).toMatch(/ssh says: .*Permission denied/);
  expect(said('ssh://localhost.invalid/x').message).toMatch(/ssh says: .*localhost\.invalid/);
  expect(said('x:y', { BK_SSH_COMMAND: '/nowhere/ssh' }).message).toContain('there is no such program');
  expect(said('x:y', { BK_SSH_COMMAND: "sh -c 'exit 127' x" })).toMatchObject({
    message: 'cannot reach x:y: bk is not installed there',
    hint: expect.stringContaining('ssh x bk --version'),
  });
});

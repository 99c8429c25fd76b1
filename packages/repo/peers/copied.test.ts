import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { presenceRef, type RepoPath } from '@bk/core';
import { activeLeases, type Config, grantLease, layoutOf, lock, readConfig, writeConfig } from '@bk/store';
import { native, volumeOf } from '@bk/worktree';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type LoopMount, mountLoop } from '../../../fixtures/loop-mount.ts';
import { check } from '../check.ts';
import { commit } from '../commit.ts';
import type { Context } from '../context.ts';
import { fetch } from '../fetch.ts';
import { init } from '../init.ts';
import { absentBelow, setAbsent } from '../presence/absence.ts';
import { introduce, ownPresence, publishPresence } from '../presence/presence.ts';
import { remote } from '../remote.ts';
import { openRepository, type Repository } from '../repository.ts';
import { status } from '../status.ts';
import { TestTree } from '../tree.fixture.ts';
import { openAddress } from './peers.ts';

let tree: TestTree;
let context: Context;
const mounts: LoopMount[] = [];
beforeEach(() => {
  tree = new TestTree();
  ({ context } = tree);
});
afterEach(() => {
  for (const mount of mounts.splice(0)) mount.unmount();
  tree[Symbol.dispose]();
});

function mounted(type: Parameters<typeof mountLoop>[0]): LoopMount | undefined {
  const mount = mountLoop(type);
  if (mount !== undefined) mounts.push(mount);
  return mount;
}

function configAt(root: string): Config {
  return readConfig(layoutOf(root).config)!;
}

async function at<T>(root: string, work: (repo: Repository) => T | Promise<T>): Promise<T> {
  const repo = openRepository(root);
  try {
    return await work(repo);
  } finally {
    repo.close();
  }
}

/** A repository with a commit. */
async function filled(root: string, name = 'photos'): Promise<Config> {
  fs.mkdirSync(root, { recursive: true });
  init(root, { name }, context);
  fs.mkdirSync(path.join(root, 'sub'));
  for (const file of ['a', 'b', 'sub/c']) fs.writeFileSync(path.join(root, file), `content of ${file}`);
  await at(root, (repo) => commit(repo, {}, context));
  return configAt(root);
}

/** Copies with another program, as people do. */
function copied(from: string, to: string, ...command: string[]): void {
  const [program = 'cp', ...words] = command.length > 0 ? command : ['cp', '-a'];
  execFileSync(program, [...words, program === 'rsync' ? `${from}/` : from, to]);
}

/** It is a repository of its own now, works, and its original is as it was. */
async function isItsOwn(copy: string, original: string, before: Config): Promise<void> {
  const notice = await at(copy, async (repo) => {
    expect(repo.isCopy).toBe(false);
    const { changes } = await status(repo, {}, context);
    // Modes and times that exFAT did not keep are not known to be its own doing.
    expect(changes.filter(({ type }) => type !== 'metadata')).toEqual([]);
    repo.beginWriting();
    return repo.notice;
  });
  expect(notice).toMatch(/^this is a copy of “photos”: it has an id of its own now/);
  const now = configAt(copy);
  expect(now.id).not.toBe(before.id);
  expect(now.copyOf).toBe(before.id);
  expect(configAt(original)).toEqual(before);
  fs.writeFileSync(path.join(copy, 'new'), 'new');
  await at(copy, async (repo) => {
    expect(repo.notice).toBeUndefined();
    await commit(repo, {}, context);
    expect(repo.history.readCommit(repo.head!).message).toContain(`Bk-Repository: ${now.id}`);
  });
  expect(configAt(copy)).toEqual(now);
  await at(original, async (repo) => expect((await status(repo, {}, context)).changes).toEqual([]));
  expect(configAt(original)).toEqual(before);
}

describe('a copied .bk', () => {
  test('on the same file system: an id and a name of its own, and no second volume', async () => {
    const original = path.join(tree.base, 'photos');
    const before = await filled(original);
    const copy = path.join(tree.base, 'copy of photos');
    copied(original, copy);
    await isItsOwn(copy, original, before);
    const now = configAt(copy);
    expect(now.volume?.id).toBe(before.volume?.id);
    expect(now.volume?.inode).not.toBe(before.volume?.inode);
  });

  test.for([
    ['photos-2', 'photos-2'],
    ['photos', 'photos 2'],
    ['\u202e', 'photos 2'],
  ] as const)('in a folder %j, its original known by the name: %s', async ([folder, name]) => {
    const original = path.join(tree.base, 'photos');
    await filled(original);
    await at(original, (repo) => {
      repo.beginWriting();
      publishPresence(repo, context);
    });
    fs.mkdirSync(path.join(tree.base, 'elsewhere'));
    const copy = path.join(tree.base, 'elsewhere', folder);
    copied(original, copy);
    await at(copy, (repo) => {
      expect(repo.notice).toBe(
        `this is a copy of “photos”: it has an id of its own now, and is called “${name}”`,
      );
    });
    expect(configAt(copy).name).toBe(name);
  });

  test('a file that differs from the original though its times do not is seen', async () => {
    const original = path.join(tree.base, 'photos');
    await filled(original);
    const copy = path.join(tree.base, 'copy');
    copied(original, copy);
    const file = path.join(copy, 'a');
    const { atime, mtime } = fs.statSync(file);
    fs.writeFileSync(file, 'CONTENT OF A');
    fs.utimesSync(file, atime, mtime);
    const { changes } = await at(copy, (repo) => status(repo, {}, context));
    expect(changes).toMatchObject([{ type: 'modified', path: 'a' }]);
  });

  test('of a copy that said nothing yet: what is not here by design is not deleted, the index lost too', async () => {
    const original = path.join(tree.base, 'photos');
    await filled(original);
    await at(original, (repo) => {
      repo.beginWriting();
      setAbsent(repo, ['sub/c' as RepoPath], context);
    });
    fs.rmSync(path.join(original, 'sub'), { recursive: true });
    const [first, second] = [path.join(tree.base, 'first'), path.join(tree.base, 'second')];
    copied(original, first);
    await at(first, (repo) => expect(repo.notice).toBeDefined());
    copied(first, second);
    await at(second, (repo) => expect(repo.notice).toBeDefined());
    fs.rmSync(layoutOf(second).index);
    await at(second, async (repo) => expect((await status(repo, {}, context)).changes).toEqual([]));
  });

  test('keeps no promise of the original', async () => {
    const original = path.join(tree.base, 'photos');
    await filled(original);
    const hash = '00'.repeat(32) as Parameters<typeof grantLease>[1][number];
    grantLease(layoutOf(original), [hash], { nowMs: 1, forMs: 1e6, most: 9 });
    const copy = path.join(tree.base, 'copy');
    copied(original, copy);
    await at(copy, (repo) => repo.beginWriting());
    expect(activeLeases(layoutOf(copy), 2).size).toBe(0);
    expect(activeLeases(layoutOf(original), 2).size).toBe(1);
  });

  test('what is not there by design stays so, also if the index is lost', async () => {
    const original = path.join(tree.base, 'photos');
    await filled(original);
    await at(original, (repo) => {
      repo.beginWriting();
      setAbsent(repo, ['sub/c' as RepoPath], context);
    });
    fs.rmSync(path.join(original, 'sub/c'));
    const copy = path.join(tree.base, 'copy');
    copied(original, copy);
    const nothing = async () => {
      await at(copy, async (repo) => {
        repo.beginWriting();
        expect([...absentBelow(repo, '' as RepoPath)]).toEqual(['sub/c']);
        expect((await status(repo, {}, context)).changes).toEqual([]);
      });
    };
    await nothing();
    fs.rmSync(layoutOf(copy).index);
    await nothing();
  });

  test.for(['asked by another', 'asking others', 'a commit of nothing'] as const)(
    'says what it holds: %s',
    async (how, { expect }) => {
      const original = path.join(tree.base, 'photos');
      await filled(original);
      const copy = path.join(tree.base, 'copy');
      copied(original, copy);
      await at(copy, (repo) => expect([repo.isCopy, ownPresence(repo)]).toEqual([false, undefined]));
      const { id } = configAt(copy);
      if (how === 'asked by another')
        await at(original, async (repo) => {
          const { peer } = await openAddress(repo, copy, context);
          expect((await peer.refs()).map((ref) => ref.name)).toContain(presenceRef(id));
          await peer.close();
        });
      else
        await at(copy, async (repo) => {
          const options = { do: 'add', name: 'original', address: original, directory: tree.base } as const;
          if (how === 'asking others') {
            await remote(repo, options, context);
            await fetch(repo, {}, context);
          } else expect((await commit(repo, {}, context)).commit).toBeNull();
        });
      await at(copy, (repo) => {
        const said = ownPresence(repo);
        expect(said?.facts).toMatchObject({ id, name: 'copy' });
        expect(said?.present).toBe(repo.history.readCommit(repo.head!).tree);
        introduce(repo, context);
        expect(ownPresence(repo)?.commit).toBe(said?.commit);
      });
    },
  );

  test('with a damaged history stays a copy for now, so that check can tell what is wrong', async () => {
    const original = path.join(tree.base, 'photos');
    const before = await filled(original);
    const copy = path.join(tree.base, 'copy');
    copied(original, copy);
    const packs = path.join(layoutOf(copy).history, 'objects/pack');
    for (const name of fs.readdirSync(packs).filter((one) => one.endsWith('.pack')))
      fs.rmSync(path.join(packs, name));
    await at(copy, (repo) => {
      expect(repo.isCopy).toBe(true);
      const kinds = check(repo, {}, context).problems.map(({ kind }) => kind);
      expect(kinds).toContain('pack');
      expect(kinds).toContain('history');
      expect(() => repo.beginWriting()).toThrow(expect.objectContaining({ code: 'damaged' }));
    });
    expect(configAt(copy)).toEqual(before);
  });

  test('while another process writes it is read, and is itself the next time', async () => {
    const original = path.join(tree.base, 'photos');
    const before = await filled(original);
    const copy = path.join(tree.base, 'copy');
    copied(original, copy);
    const other = lock(layoutOf(copy).lock);
    await at(copy, async (repo) => {
      expect(repo.isCopy).toBe(true);
      expect((await status(repo, {}, context)).changes).toEqual([]);
      repo.becomeItself();
      expect(repo.isCopy).toBe(true);
    });
    expect(configAt(copy)).toEqual(before);
    other.release();
    await isItsOwn(copy, original, before);
  });

  test('reflinked, and as a snapshot (btrfs)', async ({ skip }) => {
    const mount = mounted('btrfs');
    if (mount === undefined) return skip('no btrfs here');
    const original = path.join(mount.point, 'photos');
    execFileSync('btrfs', ['subvolume', 'create', original], { stdio: 'ignore' });
    const before = await filled(original);
    const copy = path.join(mount.point, 'copy');
    copied(original, copy, 'cp', '-a', '--reflink=always');
    await isItsOwn(copy, original, before);
    expect(configAt(copy).volume?.id).toBe(before.volume?.id);
    if (native() === undefined) return;
    const snapshot = path.join(mount.point, 'snapshot');
    execFileSync('btrfs', ['subvolume', 'snapshot', original, snapshot], { stdio: 'ignore' });
    await at(snapshot, (repo) => repo.beginWriting());
    expect(configAt(snapshot)).toMatchObject({ copyOf: before.id, volume: { id: before.volume?.id } });
    expect(configAt(snapshot).id).not.toBe(before.id);
  });

  test.for(['ext4', 'xfs', 'btrfs', 'exfat'] as const)(
    'with rsync to %s: another volume too',
    async (type, { skip }) => {
      const mount = mounted(type);
      if (mount === undefined) return skip(`no ${type} here`);
      const original = path.join(tree.base, 'photos');
      const before = await filled(original);
      const copy = path.join(mount.point, 'copy');
      copied(original, copy, 'rsync', '-rlt');
      await isItsOwn(copy, original, before);
      expect(configAt(copy).volume?.id).toBe(volumeOf(mount.point).uuid);
      const known = configAt(copy);
      mount.again();
      await at(copy, (repo) => repo.beginWriting());
      expect(configAt(copy)).toEqual(known);
    },
  );

  test('from one exFAT to another: known by the volume alone', async ({ skip }) => {
    const [one, two] = [mounted('exfat'), mounted('exfat')];
    if (one === undefined || two === undefined) return skip('no exFAT here');
    const original = path.join(one.point, 'photos');
    const before = await filled(original);
    expect(before.volume?.inode).toBeUndefined();
    const copy = path.join(two.point, 'photos');
    copied(original, copy, 'rsync', '-rt');
    await at(copy, (repo) => repo.becomeItself());
    expect(configAt(copy)).toMatchObject({ copyOf: before.id, volume: { id: volumeOf(two.point).uuid } });
    expect(configAt(original)).toEqual(before);
  });

  test('that cannot be written is read, and says that it is a copy', async ({ skip }) => {
    const mount = mounted('ext4');
    if (mount === undefined) return skip('no ext4 here');
    const original = path.join(tree.base, 'photos');
    const before = await filled(original);
    const copy = path.join(mount.point, 'copy');
    copied(original, copy);
    execFileSync('mount', ['-o', 'remount,ro', mount.point]);
    await at(copy, async (repo) => {
      expect(repo.isCopy).toBe(true);
      repo.becomeItself();
      expect(repo.isCopy).toBe(true);
      const { changes } = await status(repo, {}, context);
      expect(changes).toEqual([]);
    });
    expect(configAt(copy)).toEqual(before);
  });
});

describe('what is no copy', () => {
  test('moved, renamed, unplugged and plugged in again', async ({ skip }) => {
    const mount = mounted('ext4');
    if (mount === undefined) return skip('no ext4 here');
    const root = path.join(mount.point, 'photos');
    const before = await filled(root);
    const moved = path.join(mount.point, 'moved', 'photos');
    fs.mkdirSync(path.dirname(moved));
    fs.renameSync(root, moved);
    await at(moved, (repo) => repo.beginWriting());
    fs.mkdirSync(root);
    fs.renameSync(path.join(moved, '.bk'), path.join(root, '.bk'));
    await at(root, (repo) => repo.beginWriting());
    mount.again();
    await at(root, (repo) => repo.beginWriting());
    expect(configAt(root)).toEqual(before);
  });

  test('of an older bk: the same id, and the facts of its volume as soon as something is written', async () => {
    const root = path.join(tree.base, 'photos');
    const { volume, ...older } = await filled(root);
    writeConfig(layoutOf(root).config, older);
    await at(root, (repo) => expect(repo.isCopy).toBe(false));
    expect(configAt(root)).toEqual(older);
    await at(root, (repo) => repo.beginWriting());
    const { volume: now, ...rest } = configAt(root);
    expect(rest).toEqual(older);
    expect(now?.inode).toBe(volume?.inode);
    expect(now?.birth).toBe(volume?.birth);
  });
});

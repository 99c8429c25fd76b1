import fs from 'node:fs';
import path from 'node:path';
import { type BkError, formatMtime } from '@bk/core';
import { type Config, layoutOf, lock, readConfig, withRemote, writeConfig } from '@bk/store';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { mountLoop } from '../../../fixtures/loop-mount.ts';
import { commit } from '../commit.ts';
import type { Context } from '../context.ts';
import { init } from '../init.ts';
import { openRepository, type Repository } from '../repository.ts';
import { TestTree } from '../tree.fixture.ts';
import { closeAll, openRemote, reach, remotesOf } from './peers.ts';

let tree: TestTree;
let context: Context;
let repo: Repository;
let disk: string;
const NOW = Date.UTC(2026, 9, 1, 12);
const SEEN = formatMtime(BigInt(NOW) * 1_000_000n);

beforeEach(() => {
  tree = new TestTree();
  context = { ...tree.context, nowMs: () => NOW };
  disk = made('disk');
  setRemotes({ disk2: { address: disk } });
  repo = openRepository(tree.root);
});
afterEach(() => {
  repo.close();
  tree[Symbol.dispose]();
});

/** A repository beside the other. */
function made(name: string, base = tree.base): string {
  const root = path.join(base, name);
  init(root, {}, context);
  return root;
}

function configAt(root: string): Config {
  return readConfig(layoutOf(root).config)!;
}

function change(root: string, edit: (config: Config) => Config): void {
  writeConfig(layoutOf(root).config, edit(configAt(root)));
}

function setRemotes(remotes: NonNullable<Config['remotes']>): void {
  change(tree.root, (config) => ({ ...config, remotes }));
}

async function failure(name: string): Promise<BkError> {
  return openRemote(repo, name, context).then(
    () => expect.unreachable('it was opened'),
    (error) => error,
  );
}

describe('remotesOf', () => {
  test('are in the order of their names, with what is known of them', () => {
    expect(remotesOf({ config: { ...repo.config, remotes: undefined } as unknown as Config })).toEqual([]);
    const config = withRemote(withRemote(repo.config, '10', { address: '/x' }), '9', {
      address: '/y',
      lastSeen: SEEN,
    });
    expect(remotesOf({ config })).toEqual([
      { name: '10', address: '/x' },
      { name: '9', address: '/y', lastSeen: SEEN },
      { name: 'disk2', address: disk },
    ]);
  });
});

describe('openRemote', () => {
  test('opens the repository at the address, and tells who it is', async () => {
    change(disk, (config) => ({
      ...withRemote(config, 'home', { address: tree.root, id: repo.config.id }),
      name: 'my disk',
    }));
    const { remote, peer, facts } = await openRemote(repo, 'disk2', context);
    const { id, volume } = configAt(disk);
    expect(remote).toEqual({ name: 'disk2', address: disk, id, lastSeen: SEEN });
    expect(facts).toMatchObject({ id, name: 'my disk', readOnly: false, knownAs: 'home' });
    expect(facts.volume).toBe([volume?.id, repo.config.volume?.id].sort()[0]);
    expect(facts.head).toBeUndefined();
    expect(peer.localRoot).toBe(disk);
    await peer.close();
    await expect(peer.facts()).rejects.toThrow(expect.objectContaining({ code: 'unreachable' }));
  });

  test('what was seen is written down as soon as this process may write, once', async () => {
    const { id } = configAt(disk);
    await closeAll([await openRemote(repo, 'disk2', context)]);
    expect(configAt(tree.root).remotes).toEqual({ disk2: { address: disk } });
    repo.beginWriting();
    expect(configAt(tree.root).remotes).toEqual({ disk2: { address: disk, id, lastSeen: SEEN } });
    const later = { ...context, nowMs: () => NOW + 60_000 };
    await closeAll([await openRemote(repo, 'disk2', later)]);
    expect(configAt(tree.root).remotes?.['disk2']?.lastSeen).toBe(SEEN);
  });

  test('one that was removed meanwhile does not come back', async () => {
    const { peer } = await openRemote(repo, 'disk2', context);
    await peer.close();
    setRemotes({});
    repo.beginWriting();
    expect(configAt(tree.root).remotes).toEqual({});
  });

  test('another repository at the address is refused', async () => {
    await closeAll([await openRemote(repo, 'disk2', context)]);
    repo.beginWriting();
    fs.renameSync(disk, `${disk}-old`);
    made('disk');
    const error = await failure('disk2');
    expect(error).toMatchObject({ code: 'refused', path: disk });
    expect(error.hint).toContain('bk remote remove disk2');
    expect(configAt(tree.root).remotes?.['disk2']?.id).toBe(configAt(`${disk}-old`).id);
  });

  test('this repository itself is no remote, neither by its path nor by its id', async () => {
    setRemotes({
      me: { address: tree.root },
      twin: { address: disk },
      link: { address: `${tree.base}/link` },
    });
    fs.symlinkSync(tree.root, `${tree.base}/link`);
    const { id } = configAt(tree.root);
    change(disk, (config) => ({ ...config, id }));
    repo.close();
    repo = openRepository(tree.root);
    for (const name of ['me', 'twin', 'link'])
      expect(await failure(name), name).toMatchObject({ code: 'refused' });
  });

  test.each([
    ['nothing', () => fs.rmSync(disk, { recursive: true })],
    [
      'a folder that is no repository (an empty mount point)',
      () => fs.rmSync(path.join(disk, '.bk'), { recursive: true }),
    ],
    [
      'a file',
      () => {
        fs.rmSync(disk, { recursive: true });
        fs.writeFileSync(disk, '');
      },
    ],
    ['a half-made repository', () => fs.rmSync(layoutOf(disk).config)],
    [
      'a link to itself',
      () => {
        fs.rmSync(disk, { recursive: true });
        fs.symlinkSync(disk, disk);
      },
    ],
  ])('%s at the address: out of reach', async (_what, spoil) => {
    spoil();
    expect(await failure('disk2')).toMatchObject({ code: 'unreachable', path: disk });
  });

  test('a repository above the address is not the one that was unplugged', async () => {
    const mountPoint = path.join(disk, 'mnt');
    fs.mkdirSync(mountPoint);
    setRemotes({ away: { address: mountPoint } });
    repo.close();
    repo = openRepository(tree.root);
    expect(await failure('away')).toMatchObject({ code: 'unreachable', path: mountPoint });
  });

  test('a damaged one says so, an unknown name tells the known ones', async () => {
    fs.writeFileSync(layoutOf(disk).config, '{');
    expect(await failure('disk2')).toMatchObject({ code: 'damaged' });
    expect(await failure('disk3')).toMatchObject({ code: 'usage', hint: 'remotes are disk2' });
  });

  test('a copy that nobody can write now promises nothing in the name of its original', async () => {
    const copy = path.join(tree.base, 'copy');
    fs.cpSync(disk, copy, { recursive: true });
    setRemotes({ copy: { address: copy } });
    repo.close();
    repo = openRepository(tree.root);
    const writing = lock(layoutOf(copy).lock);
    expect(await failure('copy')).toMatchObject({ code: 'unreachable' });
    writing.release();
    const { peer, facts } = await openRemote(repo, 'copy', context);
    await peer.close();
    expect(facts.id).toBe(configAt(copy).id);
    expect(facts.id).not.toBe(configAt(disk).id);
  });
});

describe('the volume of a remote', () => {
  test('is one for two repositories on one that has no id of its own', async () => {
    change(disk, (config) => ({ ...config, volume: { ...config.volume, id: 'bk:00-there' } }));
    change(tree.root, (config) => ({ ...config, volume: { ...config.volume, id: 'bk:11-here' } }));
    repo.close();
    repo = openRepository(tree.root);
    const { peer, facts } = await openRemote(repo, 'disk2', context);
    await peer.close();
    expect(facts.volume).toBe('bk:00-there');
    repo.beginWriting();
    const own = configAt(tree.root).volume?.id;
    // Where the file system does have one, that is the id of both.
    expect(own === 'bk:00-there' || !own?.startsWith('bk:')).toBe(true);
  });

  test('is its own on another file system, also when unplugged and plugged in again', async ({ skip }) => {
    const mount = mountLoop('ext4');
    if (mount === undefined) return skip('no ext4 here');
    try {
      const there = made('disk', mount.point);
      const { id: volume } = configAt(there).volume!;
      expect(volume).not.toBe(repo.config.volume?.id);
      setRemotes({ disk2: { address: there } });
      repo.beginWriting();
      for (let round = 0; round < 2; round++) {
        const { peer, facts } = await openRemote(repo, 'disk2', context);
        await peer.close();
        expect(facts.volume).toBe(volume);
        mount.again();
      }
    } finally {
      mount.unmount();
    }
  });
});

describe('reach', () => {
  test('gives all that are there and says why the others are not', async () => {
    const other = made('other');
    setRemotes({
      z: { address: other },
      gone: { address: '/mnt/none' },
      a: { address: disk },
      nas: { address: 'ssh://nas/x' },
    });
    repo.close();
    repo = openRepository(tree.root);
    vi.stubEnv('BK_SSH_COMMAND', '/nowhere/ssh');
    const { open, unreachable } = await reach(repo, context);
    expect(open.map(({ remote }) => remote.name)).toEqual(['a', 'z']);
    expect(unreachable).toEqual([
      { name: 'gone', reason: 'cannot reach /mnt/none: there is no repository now' },
      {
        name: 'nas',
        reason: 'cannot reach ssh://nas/x: cannot start /nowhere/ssh: there is no such program',
      },
    ]);
    await closeAll(open);
    repo.beginWriting();
    expect(Object.keys(configAt(tree.root).remotes ?? {})).toEqual(['a', 'gone', 'nas', 'z']);
    expect(configAt(tree.root).remotes).toMatchObject({ a: { lastSeen: SEEN }, z: { lastSeen: SEEN } });
  });

  test('tells the head of each', async () => {
    fs.writeFileSync(path.join(disk, 'a'), 'a');
    const there = openRepository(disk);
    const { commit: head } = await commit(there, {}, context);
    there.close();
    const { open } = await reach(repo, context);
    expect(open[0]?.facts.head).toBe(head);
    await closeAll(open);
  });
});

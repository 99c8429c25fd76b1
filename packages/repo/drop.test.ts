import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { RepoPath } from '@bk/core';
import { activeLeases, grantLease, layoutOf, SafetyNet } from '@bk/store';
import { describe, expect, test } from 'vitest';
import { farthestClock } from './drop/clock.ts';
import type { ProofPorts } from './drop/proof.ts';
import { type DropOptions, type DropResult, drop } from './drop.ts';
import { folderRemote, hashOf, memoryRemote } from './get.fixture.ts';
import { get } from './get.ts';
import type { OpenRemote } from './peers/peers.ts';
import { absentBelow } from './presence/absence.ts';
import { TestTree } from './tree.fixture.ts';

const paths = (...list: string[]) => list as RepoPath[];
/** As if every repository were on a disk of its own. */
const deviceOf = () => undefined;

function dropped(
  tree: TestTree,
  options: DropOptions,
  open: readonly OpenRemote[],
  ports: ProofPorts = {},
): Promise<DropResult> {
  const reached = { open, unreachable: [] };
  return tree.with((repo) => drop(repo, options, tree.context, { reached, deviceOf, ...ports }));
}

const absent = (tree: TestTree) => tree.with((repo) => [...absentBelow(repo, '' as RepoPath)]);
const netOf = (tree: TestTree, text: string) =>
  new SafetyNet(layoutOf(tree.root)).lookup(hashOf(text)).length;
const reasons = ({ refused }: DropResult) =>
  Object.fromEntries(refused.map(({ path, reason }) => [path, reason]));

async function committed(files: Readonly<Record<string, string>>): Promise<TestTree> {
  const tree = new TestTree();
  for (const [name, text] of Object.entries(files)) tree.write(name, text);
  await tree.commit();
  return tree;
}

test('a dropped file is absent, not deleted; its space is free; it comes back as it was', async () => {
  using tree = await committed({ 'd/a': 'content a', 'd/e/b': 'content b', 'd/empty': '', c: 'content c' });
  fs.symlinkSync('nowhere', tree.at('d/link'));
  await tree.commit();
  const before = tree.git('rev-parse', 'main');
  const one = memoryRemote('one', ['content a', 'content b']);
  const two = memoryRemote('two', ['content a', 'content b']);
  const result = await dropped(tree, { paths: paths('d') }, [one, two]);
  expect(result).toEqual({
    done: [
      { path: 'd/a', size: 9 },
      { path: 'd/e/b', size: 9 },
      { path: 'd/empty', size: 0 },
      { path: 'd/link', size: 7 },
    ],
    refused: [],
    bytes: 25,
  });
  expect(fs.existsSync(tree.at('d'))).toBe(false);
  expect([netOf(tree, 'content a'), netOf(tree, 'content b'), netOf(tree, 'content c')]).toEqual([0, 0, 1]);
  expect(await tree.changes()).toEqual([]);
  expect((await tree.commit()).commit).toBeNull();
  expect(tree.git('rev-parse', 'main')).toBe(before);
  expect(await tree.with((repo) => repo.index.departed.all())).toEqual([]);
  expect(await absent(tree)).toEqual(['d/a', 'd/empty', 'd/link', 'd/e/b']);
  expect(one.host.isLeased(hashOf('content a'))).toBe(false);
  expect(fs.readdirSync(layoutOf(tree.root).staging)).toEqual([]);
  tree.fsck();
  expect(await dropped(tree, { paths: paths('d') }, [one, two])).toEqual({ done: [], refused: [], bytes: 0 });
  await tree.with((repo) => get(repo, { paths: paths('d') }, tree.context, { remotes: [one] }));
  await tree.verifyDisk();
  await tree.verifyIndex();
});

describe('a drop is refused', () => {
  const unreachable = [{ name: 'away', reason: 'there is no repository now' }];
  const holding = (name: string, facts = {}) => memoryRemote(name, ['content a'], facts);
  const asking = (change: (remote: OpenRemote) => void) => {
    const remote = holding('odd');
    change(remote);
    return remote;
  };
  const none = 'must prove now that they hold it, and none does';
  const cases: readonly [string, readonly OpenRemote[], string, ProofPorts?][] = [
    ['L01 without remotes', [], `2 other volumes ${none}`],
    [
      'L01 with too few',
      [holding('one')],
      '2 other volumes must prove now that they hold it, and only 1 does',
    ],
    [
      'L02 if one does not have it',
      [memoryRemote('one', []), holding('two')],
      'one: it does not hold it now',
    ],
    [
      'L03 if two are on one volume',
      [holding('one', { volume: 'v' }), holding('two', { volume: 'v' })],
      'two: its volume is counted already',
    ],
    [
      'L03 if one is on this volume by its device, whatever its ids say',
      [asking((remote) => Object.assign(remote.peer, { localRoot: '/here' })), holding('two')],
      'odd: it is on the same volume as this repository',
      { deviceOf: () => 'one' },
    ],
    [
      'L03 if two share a device, whatever their ids say',
      ['one', 'two'].map((name) => {
        const remote = holding(name);
        Object.assign(remote.peer, { localRoot: `/mnt/${name}` });
        return remote;
      }),
      'two: its volume is counted already',
      { deviceOf: (root) => (root.startsWith('/mnt') ? 'seven' : 'one') },
    ],
    [
      'L03 if one at the other end of a connection is on this device, whatever its ids say',
      [holding('odd', { device: 'one' }), holding('two')],
      'odd: it is on the same volume as this repository',
      { deviceOf: () => 'one' },
    ],
    [
      'L03 if two at the other ends of connections share a device',
      [holding('one', { device: 'seven' }), holding('two', { device: 'seven' })],
      'two: its volume is counted already',
    ],
    [
      'L05 if the connection dies',
      [
        asking((remote) => {
          void remote.peer.close();
        }),
        holding('two'),
      ],
      'odd: cannot reach the other repository: the connection was closed',
    ],
    [
      'if one is not plugged in',
      [holding('one')],
      'away: there is no repository now',
      { reached: { open: [holding('one')], unreachable } },
    ],
    [
      'if it answers for another content',
      [
        asking((remote) => {
          const { hold } = remote.peer;
          remote.peer.hold = async (...args) => {
            const said = await hold.apply(remote.peer, args);
            return { ...said, contents: [{ blake3: hashOf('x'), held: true, verified: 'hash' }] };
          };
        }),
        holding('two'),
      ],
      'its promise is about other contents',
    ],
    [
      'if a promise is too short',
      [
        asking((remote) => {
          const { hold } = remote.peer;
          remote.peer.hold = async (...args) => ({ ...(await hold.apply(remote.peer, args)), forMs: 1000 });
        }),
        holding('two'),
      ],
      'odd: it does not promise to keep it for long enough',
    ],
  ];
  test.each(cases)('%s', async (_name, open, reason, ports = {}) => {
    using tree = await committed({ a: 'content a' });
    const result = await dropped(tree, { paths: paths('a') }, open, ports);
    expect(result.done).toEqual([]);
    expect(reasons(result)['a']).toContain(reason);
    expect(fs.readFileSync(tree.at('a'), 'utf8')).toBe('content a');
    expect(await absent(tree)).toEqual([]);
    for (const remote of open)
      if ('host' in remote)
        expect((remote as ReturnType<typeof memoryRemote>).host.isLeased(hashOf('content a'))).toBe(false);
  });

  test('L08: no number of copies below 1', async () => {
    using tree = await committed({ a: 'content a' });
    for (const copies of [0, -1, 0.5, Number.NaN])
      await expect(dropped(tree, { paths: paths('a'), copies }, [])).rejects.toMatchObject({ code: 'usage' });
  });

  test('L04: while another repository relies on this one, until its promise ends', async () => {
    using tree = await committed({ a: 'content a', b: 'content b' });
    const nowMs = tree.context.nowMs();
    grantLease(layoutOf(tree.root), [hashOf('content a')], { nowMs, forMs: 3_000_000, most: 10 });
    const remote = memoryRemote('one', ['content a', 'content b']);
    const result = await dropped(tree, { paths: paths('a', 'b'), copies: 1 }, [remote]);
    expect(result.done.map((one) => one.path)).toEqual(['b']);
    expect(reasons(result)).toEqual({
      a: 'another repository is dropping its copy and relies on this one',
    });
  });

  test('L06: what was edited, gone, replaced or touched', async () => {
    const names = ['edited', 'gone', 'folder', 'mode', 'time', 'rotten', 'good'];
    using tree = await committed(Object.fromEntries(names.map((name) => [name, `content ${name}`])));
    fs.writeFileSync(tree.at('edited'), 'CONTENT EDITED');
    fs.rmSync(tree.at('gone'));
    fs.rmSync(tree.at('folder'));
    fs.mkdirSync(tree.at('folder'));
    fs.chmodSync(tree.at('mode'), 0o600);
    fs.utimesSync(tree.at('time'), 1, 1);
    const { mtimeNs } = fs.lstatSync(tree.at('rotten'), { bigint: true });
    fs.writeFileSync(tree.at('rotten'), 'CONTENT ROTTEN');
    const time = `@${mtimeNs / 1_000_000_000n}.${String(mtimeNs % 1_000_000_000n).padStart(9, '0')}`;
    execFileSync('touch', ['-d', time, tree.at('rotten').toString()]);
    const remote = memoryRemote(
      'one',
      names.map((name) => `content ${name}`),
    );
    const result = await dropped(tree, { paths: paths('', 'nowhere'), copies: 1 }, [remote]);
    expect(result.done.map((one) => one.path)).toEqual(['good']);
    const changed = 'it has changes that are not committed';
    expect(reasons(result)).toEqual({
      edited: changed,
      folder: changed,
      gone: 'it is gone, and no commit says so',
      mode: changed,
      nowhere: 'the last commit has no such file or folder',
      rotten: changed,
      time: changed,
    });
  });
});

test('links and empty files do not go alone', async () => {
  using tree = await committed({ 'd/a': 'content a', 'd/empty': '' });
  const refused = await dropped(tree, { paths: paths('d') }, []);
  expect(refused.done).toEqual([]);
  expect(reasons(refused)['d/empty']).toBe('nothing else of what was asked for may go');
  const asked = await dropped(tree, { paths: paths('d/empty') }, []);
  expect(asked.done).toEqual([{ path: 'd/empty', size: 0 }]);
});

test('one of two equal files needs no proof while the other stays and is good', async () => {
  using tree = await committed({ a: 'content', b: 'content', c: 'other', d: 'other' });
  fs.writeFileSync(tree.at('d'), 'OTHER');
  const result = await dropped(tree, { paths: paths('a', 'c') }, []);
  expect(result.done.map((one) => one.path)).toEqual(['a']);
  expect(result.refused.map((one) => one.path)).toEqual(['c']);
  expect(netOf(tree, 'content')).toBe(1);
  const both = await dropped(tree, { paths: paths('a', 'b') }, []);
  expect(both.done).toEqual([]);
  expect(both.refused.map((one) => one.path)).toEqual(['b']);
});

test('a version that left and is kept, and a file that stays, keep their entries in the net', async () => {
  using tree = await committed({ a: 'content', old: 'kept', b: 'kept' });
  fs.rmSync(tree.at('old'));
  await tree.commit();
  const remote = memoryRemote('one', ['content', 'kept']);
  const result = await dropped(tree, { paths: paths('a', 'b'), copies: 1 }, [remote]);
  expect(result.refused).toEqual([]);
  expect([netOf(tree, 'content'), netOf(tree, 'kept')]).toEqual([0, 2]);
});

test('what an interrupted drop left in the net goes when it is given again', async () => {
  using tree = await committed({ a: 'content a', 'd/b': 'content b' });
  const remote = memoryRemote('one', ['content a', 'content b']);
  const net = path.join(tree.base, 'net');
  fs.cpSync(layoutOf(tree.root).safety, net, { recursive: true });
  await dropped(tree, { paths: paths('a', 'd'), copies: 1 }, [remote]);
  fs.cpSync(net, layoutOf(tree.root).safety, { recursive: true });
  expect(netOf(tree, 'content a')).toBe(1);
  const nobody = await dropped(tree, { paths: paths('a'), copies: 1 }, []);
  expect(nobody).toEqual({ done: [], refused: [], bytes: 0 });
  expect(netOf(tree, 'content a')).toBe(1);
  await dropped(tree, { paths: paths('a'), copies: 1 }, [remote]);
  expect([netOf(tree, 'content a'), netOf(tree, 'content b')]).toEqual([0, 1]);
});

test('when the promises end while files go, the rest stays and is here as before', async () => {
  using tree = await committed({ a: 'content a', b: 'content b', c: 'content c' });
  const remote = memoryRemote('one', ['content a', 'content b', 'content c']);
  let ms = 0;
  const clock = () => {
    // Asked at the start, when asked and when decided: then for each file and each entry of the net.
    ms += fs.existsSync(tree.at('a')) ? 0 : 3_600_000;
    return ms;
  };
  const result = await dropped(tree, { paths: paths(''), copies: 1 }, [remote], { clock });
  expect(result.done.map((one) => one.path)).toEqual(['a']);
  expect(reasons(result)).toEqual({
    b: 'the promises of the others ended: try again',
    c: 'the promises of the others ended: try again',
  });
  expect(netOf(tree, 'content a')).toBe(1);
  expect(await absent(tree)).toEqual(['a']);
  expect(await tree.changes()).toEqual([]);
  await tree.verifyIndex();
});

test('what stays though it was absent before is left for the next scan', async () => {
  using tree = await committed({ a: 'content a', 'd/b': 'content b', c: 'content c' });
  const remote = memoryRemote('one', ['content a', 'content b', 'content c']);
  const aside = path.join(tree.base, 'aside');
  execFileSync('cp', ['-p', path.join(tree.root, 'd/b'), aside]);
  await dropped(tree, { paths: paths('d'), copies: 1 }, [remote]);
  tree.mkdir('d');
  fs.renameSync(aside, tree.at('d/b'));
  const row = () => tree.with((repo) => repo.index.row('d' as RepoPath));
  const before = await row();
  let ms = 0;
  const clock = () => {
    ms += fs.existsSync(tree.at('a')) ? 0 : 3_600_000;
    return ms;
  };
  const result = await dropped(tree, { paths: paths(''), copies: 1 }, [remote], { clock });
  expect(result.done.map((one) => one.path)).toEqual(['a']);
  expect(reasons(result)['d/b']).toBe('the promises of the others ended: try again');
  expect(await row()).toEqual(before);
  expect(await absent(tree)).toEqual(['a', 'd/b']);
  expect(fs.readFileSync(tree.at('d/b'), 'utf8')).toBe('content b');
  await tree.commit();
  expect(await absent(tree)).toEqual(['a']);
  expect(await tree.changes()).toEqual([]);
  await tree.verifyIndex();
});

test('a file that is saved while others are asked stays, as the user has it', async () => {
  using tree = await committed({ a: 'content a', b: 'content b' });
  const remote = memoryRemote('one', ['content a', 'content b']);
  const { hold } = remote.peer;
  remote.peer.hold = async (...args) => {
    tree.save('a', 'CONTENT A');
    return hold.apply(remote.peer, args);
  };
  const result = await dropped(tree, { paths: paths(''), copies: 1 }, [remote]);
  expect(result.done.map((one) => one.path)).toEqual(['b']);
  expect(reasons(result)).toEqual({ a: 'it was changed meanwhile' });
  expect(fs.readFileSync(tree.at('a'), 'utf8')).toBe('CONTENT A');
  expect(await tree.changes()).toEqual(['modified a (content mtime)']);
});

test('folders that are not empty stay', async () => {
  using tree = await committed({ 'd/a': 'content a', '.bkignore': '*.tmp\n' });
  tree.write('d/x.tmp', 'ignored');
  const result = await dropped(tree, { paths: paths('d'), copies: 1 }, [memoryRemote('one', ['content a'])]);
  expect(result.done.map((one) => one.path)).toEqual(['d/a']);
  expect(fs.readdirSync(tree.at('d'))).toEqual(['x.tmp']);
  expect(await tree.changes()).toEqual([]);
});

test('a dry run says what would go, and leaves no promise behind', async () => {
  using tree = await committed({ a: 'content a', b: 'content b' });
  const remote = memoryRemote('one', ['content a']);
  const result = await dropped(tree, { paths: paths(''), copies: 1, dryRun: true }, [remote]);
  expect(result.done.map((one) => one.path)).toEqual(['a']);
  expect(result.refused.map((one) => one.path)).toEqual(['b']);
  expect(fs.existsSync(tree.at('a'))).toBe(true);
  expect(remote.host.isLeased(hashOf('content a'))).toBe(false);
  expect(await absent(tree)).toEqual([]);
});

test('real folders: one lets go while the other promises, then only the other way round', async () => {
  using here = await committed({ a: 'content a' });
  using there = await committed({ 'x/b': 'content a' });
  const toThere = folderRemote('there', there);
  const toHere = folderRemote('here', here);
  try {
    expect((await dropped(here, { paths: paths('a'), copies: 1 }, [toThere])).done.length).toBe(1);
    expect(activeLeases(layoutOf(there.root), Date.now()).size).toBe(0);
    const last = await dropped(there, { paths: paths('x'), copies: 1 }, [toHere]);
    expect(reasons(last)['x/b']).toContain('here: it does not hold it now');
    await here.with((repo) => get(repo, { paths: paths('a') }, here.context, { remotes: [toThere] }));
    expect((await dropped(there, { paths: paths('x'), copies: 1 }, [toHere])).done.length).toBe(1);
    expect(fs.readFileSync(here.at('a'), 'utf8')).toBe('content a');
  } finally {
    toThere.close();
    toHere.close();
  }
});

test('L04: two that drop at once: one asks while the other has its lock, and is refused', async () => {
  using here = await committed({ a: 'content a' });
  using there = await committed({ b: 'content a' });
  const toThere = folderRemote('there', there);
  const toHere = folderRemote('here', here);
  try {
    const results = await Promise.all([
      dropped(here, { paths: paths('a'), copies: 1 }, [toThere]),
      dropped(there, { paths: paths('b'), copies: 1 }, [toHere]),
    ]);
    const done = results.flatMap((result) => result.done);
    expect(done.length).toBeLessThan(2);
    expect(fs.existsSync(here.at('a')) || fs.existsSync(there.at('b'))).toBe(true);
    expect(results.flatMap(({ refused }) => refused.map(({ reason }) => reason)).join()).toMatch(
      /another bk is working there|another repository is dropping its copy/,
    );
  } finally {
    toThere.close();
    toHere.close();
  }
});

test('of two clocks the one that went farthest counts, and it never goes back', () => {
  const times = { wall: 1_000_000, steady: 5 };
  const clock = farthestClock(
    () => times.wall,
    () => times.steady,
  );
  expect(clock()).toBe(0);
  times.steady += 10;
  expect(clock()).toBe(10);
  times.wall += 3_600_000;
  expect(clock()).toBe(3_600_000);
  times.wall -= 7_200_000;
  expect(clock()).toBe(3_600_000);
});

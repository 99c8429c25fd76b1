import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { GitId, RepoPath, Step } from '@bk/core';
import { type Layout, layoutOf, readRef, SafetyNet } from '@bk/store';
import { hashBytes } from '@bk/worktree';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountLoop } from '../../../fixtures/loop-mount.ts';
import { replayJournal } from './replay.ts';
import { killedAt } from './transaction.fixture.ts';
import { applyPlan } from './transaction.ts';

let root: string;
let layout: Layout;
const TO = 'a'.repeat(40) as GitId;
const REF = 'refs/heads/main';

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-moves-'));
  layout = layoutOf(root);
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const at = (file: string) => path.join(root, file);
const write = (file: string, text: string) => {
  fs.mkdirSync(path.dirname(at(file)), { recursive: true });
  fs.writeFileSync(at(file), text);
};
const expected = (file: string) => {
  const stat = fs.lstatSync(at(file), { bigint: true });
  const blake3 = stat.isFile() ? { blake3: hashBytes(fs.readFileSync(at(file))) } : {};
  const { ino, size, mtimeNs, ctimeNs } = stat;
  return { is: 'entry' as const, inode: ino, size: Number(size), mtimeNs, ctimeNs, ...blake3 };
};
const move = (from: string, to: string, parked?: number): Step => ({
  do: 'move',
  path: to as RepoPath,
  from: from as RepoPath,
  what: fs.lstatSync(at(from)).isDirectory() ? 'folder' : 'file',
  expect: expected(from),
  ...(parked !== undefined && { parked }),
});
const park = (file: string): Step => ({
  do: 'park',
  path: file as RepoPath,
  what: fs.lstatSync(at(file)).isDirectory() ? 'folder' : 'file',
  expect: expected(file),
});
const remove = (file: string): Step => ({ do: 'remove', path: file as RepoPath, expect: expected(file) });
const rmdir = (folder: string): Step => ({ do: 'rmdir', path: folder as RepoPath });

function files(): void {
  for (const dir of ['safety', 'staging', 'journal', 'history'])
    fs.mkdirSync(path.join(layout.dot, dir), { recursive: true });
  write('one', '1');
  write('two', '22');
  write('dir/in/x', 'x in dir');
  write('a/x', 'x in a');
  write('b/y', 'y in b');
  write('victim', 'to the net');
  write('full/mine', 'mine');
  fs.mkdirSync(at('bare'));
}

/** Every kind of move: 11 steps. */
function steps(): Step[] {
  return [
    remove('victim'),
    park('one'),
    move('two', 'one'),
    move('one', 'two', 1),
    move('dir', 'moved'),
    park('a'),
    move('b', 'a'),
    move('a', 'b', 5),
    rmdir('bare'),
    rmdir('full'),
    { do: 'mkdir', path: 'new' as RepoPath, mode: 0o755 },
  ];
}

function fresh(): Step[] {
  fs.rmSync(root, { recursive: true, force: true });
  fs.mkdirSync(root);
  files();
  return steps();
}

const HEAD = { ref: REF, from: null, to: TO };
const run = (planned: readonly Step[]) => applyPlan(layout, { verb: 'test', steps: planned, head: HEAD });

/** Of a process that is dead: one that is alive takes it away. */
const lock = () => path.join(layout.history, `${REF}.lock`);
function finish(refuseLinks: boolean): void {
  fs.rmSync(lock(), { force: true });
  killedAt(Number.POSITIVE_INFINITY, () => void replayJournal(layout), refuseLinks);
}

interface State {
  readonly tree: Readonly<Record<string, string>>;
  readonly contents: readonly string[];
  readonly head: GitId | undefined;
  readonly clean: boolean;
}

function state(): State {
  const tree: Record<string, string> = {};
  const walk = (dir: string, shown: string) => {
    for (const name of fs.readdirSync(dir)) {
      if (shown === '' && name === '.bk') continue;
      const file = path.join(dir, name);
      if (fs.lstatSync(file).isDirectory()) {
        tree[`${shown}${name}`] = 'dir';
        walk(file, `${shown}${name}/`);
      } else tree[`${shown}${name}`] = fs.lstatSync(file).isFile() ? fs.readFileSync(file, 'utf8') : 'link';
    }
  };
  walk(root, '');
  const contents = new Set(Object.values(tree));
  for (const entry of new SafetyNet(layout).list()) contents.add(fs.readFileSync(entry.file, 'utf8'));
  const clean = fs.readdirSync(layout.staging).length === 0 && fs.readdirSync(layout.journal).length === 0;
  return { tree, contents: [...contents].sort(), head: readRef(layout.history, REF), clean };
}

const DONE = {
  a: 'dir',
  'a/y': 'y in b',
  b: 'dir',
  'b/x': 'x in a',
  full: 'dir',
  'full/mine': 'mine',
  moved: 'dir',
  'moved/in': 'dir',
  'moved/in/x': 'x in dir',
  new: 'dir',
  one: '22',
  two: '1',
};
const CONTENTS = ['1', '22', 'dir', 'mine', 'to the net', 'x in a', 'x in dir', 'y in b'];

describe('a transaction that moves', () => {
  it('does every kind of step, and moves the head', () => {
    const planned = fresh();
    const inode = fs.statSync(at('dir/in')).ino;
    const { results } = run(planned);
    expect(results.map(({ outcome }) => outcome)).toEqual(planned.map(() => 'done'));
    expect(state()).toEqual({ tree: DONE, contents: CONTENTS, head: TO, clean: true });
    expect(fs.statSync(at('moved/in')).ino).toBe(inode);
  });

  it.each([
    ['with links', false],
    ['without links', true],
  ])('killed at every call, then finished: %s', (_, refuseLinks) => {
    fresh();
    const before = state();
    const seen = { before: 0, after: 0 };
    for (let n = 1; ; n++) {
      const planned = fresh();
      const { killed } = killedAt(n, () => void run(planned), refuseLinks);
      if (!killed) break;
      finish(refuseLinks);
      const now = state();
      expect({ n, contents: now.contents, clean: now.clean }).toEqual({ n, contents: CONTENTS, clean: true });
      const unchanged = now.head === undefined;
      expect({ n, tree: now.tree }).toEqual({ n, tree: unchanged ? before.tree : DONE });
      seen[unchanged ? 'before' : 'after']++;
    }
    expect(seen.before).toBeGreaterThan(5);
    expect(seen.after).toBeGreaterThan(25);
  });

  it.each([
    ['with links', false],
    ['without links', true],
  ])('killed, and killed again while finishing: %s', (_, refuseLinks) => {
    let points = 0;
    for (let n = 3; ; n += 5) {
      const prepare = () => {
        const planned = fresh();
        return killedAt(n, () => void run(planned), refuseLinks).killed;
      };
      if (!prepare()) break;
      for (let m = 1 + (n % 4); ; m += 5) {
        fs.rmSync(lock(), { force: true });
        const again = killedAt(m, () => void replayJournal(layout), refuseLinks);
        finish(refuseLinks);
        const now = state();
        expect({ n, m, contents: now.contents, clean: now.clean }).toEqual({
          n,
          m,
          contents: CONTENTS,
          clean: true,
        });
        if (now.head !== undefined) expect({ n, m, tree: now.tree }).toEqual({ n, m, tree: DONE });
        points++;
        if (!again.killed) break;
        prepare();
      }
    }
    expect(points).toBeGreaterThan(30);
  });

  it.each<[string, Step['do'][], () => void, Record<string, string>]>([
    ['an edited file', ['move'], () => write('two', 'edited'), { two: 'edited', one: '1' }],
    [
      'an edited file that was to be removed',
      ['remove'],
      () => write('victim', 'edited'),
      { victim: 'edited' },
    ],
    ['a file that is gone', ['move'], () => fs.unlinkSync(at('two')), { two: '1' }],
    [
      'a file at the new name of a folder',
      ['move'],
      () => write('moved', 'in the way'),
      { moved: 'in the way', 'dir/in/x': 'x in dir' },
    ],
    [
      'another folder in its place',
      ['move'],
      () => {
        fs.renameSync(at('dir'), at('aside'));
        write('dir/other', 'other');
      },
      { 'dir/other': 'other', 'aside/in/x': 'x in dir' },
    ],
    ['a link where a parent was', ['move'], () => fs.symlinkSync('/tmp', at('moved')), {}],
    ['a file at the name of a swap', ['park', 'move'], () => write('one', 'new one'), { one: 'new one' }],
  ])('leaves alone: %s', (_, kinds, change, wanted) => {
    const planned = fresh();
    change();
    const { results } = run(planned);
    const bad = results.filter(({ outcome }) => outcome !== 'done');
    expect(bad.length).toBeGreaterThan(0);
    for (const { step } of bad) expect(kinds).toContain(step.do);
    const now = state();
    expect(now.tree).toMatchObject(wanted);
    expect(now.clean).toBe(true);
    for (const content of CONTENTS.filter((each) => each.includes(' in ')))
      expect(now.contents).toContain(content);
  });

  it('gives a parked file back to the net, not to oblivion, if somebody takes its name', () => {
    files();
    const planned = [park('one'), move('two', 'one'), move('one', 'two', 0)];
    const original = fs.linkSync;
    let links = 0;
    fs.linkSync = (from, to) => {
      original(from, to);
      if (++links === 2) write('two', 'somebody');
    };
    try {
      expect(run(planned).results.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'conflict']);
    } finally {
      fs.linkSync = original;
    }
    expect(state().tree).toMatchObject({ one: '22', two: 'somebody' });
    expect(state().contents).toContain('1');
    expect(state().clean).toBe(true);
  });

  it('a parked folder whose name is taken gets one beside it', () => {
    files();
    const planned = [park('a'), move('b', 'a'), move('a', 'b', 0)];
    const original = fs.renameSync;
    fs.renameSync = (from, to) => {
      original(from, to);
      if (String(to).endsWith('/a')) write('b', 'somebody');
    };
    try {
      expect(run(planned).results.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'conflict']);
    } finally {
      fs.renameSync = original;
    }
    expect(state().tree).toMatchObject({ 'a/y': 'y in b', b: 'somebody', 'b (2)/x': 'x in a' });
    expect(state().clean).toBe(true);
  });

  it('two names of one inode both move', () => {
    files();
    fs.linkSync(at('one'), at('also'));
    const planned = [move('one', 'new-one'), move('also', 'new-also'), remove('victim')];
    expect(run(planned).results.map(({ outcome }) => outcome)).toEqual(['done', 'done', 'done']);
    expect(fs.statSync(at('new-one')).ino).toBe(fs.statSync(at('new-also')).ino);
    expect(state().clean).toBe(true);
  });

  it.each(['btrfs', 'xfs', 'exfat'] as const)('on %s', (type) => {
    const mount = mountLoop(type as never);
    if (mount === undefined) return;
    const before = root;
    try {
      root = path.join(mount.point, 'root');
      fs.mkdirSync(root);
      layout = layoutOf(root);
      files();
      const { results } = run(steps());
      expect(results.filter(({ outcome }) => outcome !== 'done')).toEqual([]);
      expect(state()).toEqual({ tree: DONE, contents: CONTENTS, head: TO, clean: true });
    } finally {
      root = before;
      mount.unmount();
    }
  });
});

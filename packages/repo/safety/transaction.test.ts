import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { RepoPath, Step } from '@bk/core';
import { hasPending, type Layout, layoutOf, SafetyNet } from '@bk/store';
import { hashBytes } from '@bk/worktree';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountLoop } from '../../../fixtures/loop-mount.ts';
import { replayJournal } from './replay.ts';
import { type Call, calls, killedAt } from './transaction.fixture.ts';
import { applyPlan } from './transaction.ts';

let root: string;
let layout: Layout;
const LATIN1 = 'caf%E9' as RepoPath;

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-transaction-'));
  layout = layoutOf(root);
});
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

const hash = (text: string) => hashBytes(Buffer.from(text));
const place = (
  step: Partial<Omit<Extract<Step, { do: 'place' }>, 'path'>> & {
    path: string;
    text: string;
    source: string;
  },
): Step => ({
  do: 'place',
  expect: { is: 'absent' },
  mode: 0o640,
  mtimeNs: 1_700_000_000_123_456_789n,
  ...step,
  path: step.path as RepoPath,
  content: {
    source: step.source,
    how: 'link',
    blake3: hash(step.text),
    size: step.text.length,
    ...step.content,
  },
});
const expected = (file: string, text?: string) => {
  const stat = fs.lstatSync(path.join(root, file), { bigint: true });
  return {
    is: 'entry' as const,
    inode: stat.ino,
    size: Number(stat.size),
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
    ...(text !== undefined && { blake3: hash(text) }),
  };
};
const write = (file: string, text: string, mode = 0o644) => {
  fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
  fs.writeFileSync(path.join(root, file), text, { mode });
};
/** A file that was deleted, in the net as a link. @returns the entry's source */
function lost(text: string): string {
  write('doomed', text);
  const stat = fs.lstatSync(path.join(root, 'doomed'), { bigint: true });
  const net = new SafetyNet(layout, { reflink: false });
  net.protect(path.join(root, 'doomed'), { blake3: hash(text), inode: stat.ino, size: text.length });
  fs.unlinkSync(path.join(root, 'doomed'));
  return net.lookup(hash(text))[0]!.source;
}

/** Every kind of step: 9 steps. */
function fixture(): Step[] {
  for (const dir of ['safety', 'staging', 'journal'])
    fs.mkdirSync(path.join(layout.dot, dir), { recursive: true });
  write('here.txt', 'equal content');
  write('old.txt', 'new version');
  write('untracked.txt', 'untracked');
  write('inTheWay', 'mine');
  write('meta', 'meta');
  fs.utimesSync(path.join(root, 'meta'), 1_500_000_000, 1_500_000_000);
  const first = lost('first');
  const second = lost('second');
  const third = lost('third');
  const fourth = lost('fourth');
  return [
    { do: 'mkdir', path: 'back' as RepoPath, mode: 0o755 },
    { do: 'mkdir', path: 'back/empty' as RepoPath, mode: 0o700 },
    place({ path: 'back/first', text: 'first', source: first }),
    place({
      path: `back/${LATIN1}`,
      text: 'equal content',
      source: 'here.txt',
      content: { source: 'here.txt', how: 'copy', tree: true } as never,
    }),
    place({ path: 'old.txt', text: 'second', source: second, expect: expected('old.txt', 'new version') }),
    place({ path: 'untracked.txt', text: 'third', source: third, expect: expected('untracked.txt') }),
    place({ path: 'inTheWay', text: 'fourth', source: fourth, otherwise: 'beside' as RepoPath }),
    {
      do: 'symlink',
      path: 'back/link' as RepoPath,
      expect: { is: 'absent' },
      target: 'gone%FF',
      mtimeNs: -1_500_000_001n,
    },
    {
      do: 'touch',
      path: 'meta' as RepoPath,
      expect: expected('meta'),
      mode: 0o600,
      mtimeNs: 1_600_000_000_000_000_007n,
    },
  ];
}

interface State {
  readonly tree: Readonly<Record<string, string>>;
  readonly contents: ReadonlySet<string>;
  readonly clean: boolean;
}

function state(): State {
  const tree: Record<string, string> = {};
  const contents = new Set<string>();
  const walk = (dir: Buffer, shown: string) => {
    for (const name of fs.readdirSync(dir, 'buffer')) {
      const file = Buffer.concat([dir, Buffer.from('/'), name]);
      const label = `${shown}/${name.toString('latin1')}`;
      if (label === '/.bk') continue;
      const stat = fs.lstatSync(file, { bigint: true });
      const mode = (stat.mode & 0o7777n).toString(8);
      if (stat.isDirectory()) {
        tree[label] = `dir ${mode}`;
        walk(file, label);
      } else if (stat.isSymbolicLink())
        tree[label] = `link ${fs.readlinkSync(file, 'latin1')} ${stat.mtimeNs}`;
      else {
        const text = fs.readFileSync(file, 'utf8');
        contents.add(text);
        const timed = PLANNED.has(label) ? ` ${mode} ${stat.mtimeNs}` : '';
        tree[label] = `file ${text}${timed}`;
      }
    }
  };
  walk(Buffer.from(root), '');
  for (const entry of new SafetyNet(layout).list()) {
    const text = fs.readFileSync(entry.file, 'utf8');
    if (hash(text) === entry.blake3) contents.add(text);
  }
  const clean = fs.readdirSync(layout.staging).length === 0 && fs.readdirSync(layout.journal).length === 0;
  return { tree, contents, clean };
}
const PLANNED = new Set(['/back/first', '/back/caf\xe9', '/beside', '/meta']);
const ALL = [
  'equal content',
  'new version',
  'untracked',
  'mine',
  'meta',
  'first',
  'second',
  'third',
  'fourth',
];

function fresh(): Step[] {
  fs.rmSync(root, { recursive: true, force: true });
  fs.mkdirSync(root);
  return fixture();
}

describe('a transaction', () => {
  it('does every kind of step, exactly', () => {
    const steps = fixture();
    const { results, stopped } = applyPlan(layout, { verb: 'test', steps });
    expect(stopped).toBeUndefined();
    expect(results.map(({ outcome }) => outcome)).toEqual([
      'done',
      'done',
      'done',
      'done',
      'done',
      'done',
      'done-otherwise',
      'done',
      'done',
    ]);
    const { tree, contents, clean } = state();
    expect(tree).toEqual({
      '/back': 'dir 755',
      '/back/empty': 'dir 700',
      '/back/first': 'file first 640 1700000000123456789',
      '/back/caf\xe9': 'file equal content 640 1700000000123456789',
      '/back/link': 'link gone\xff -1500000001',
      '/beside': 'file fourth 640 1700000000123456789',
      '/here.txt': 'file equal content',
      '/inTheWay': 'file mine',
      '/meta': 'file meta 600 1600000000000000007',
      '/old.txt': 'file second',
      '/untracked.txt': 'file third',
    });
    expect([...contents].sort()).toEqual([...ALL].sort());
    expect(clean).toBe(true);
    const net = new SafetyNet(layout);
    expect(net.lookup(hash('new version'))).toHaveLength(1);
    expect(net.lookup(hash('untracked'))).toHaveLength(1);
  });

  it('leaves alone what is not as planned', () => {
    const steps = fixture();
    const late = (file: string, text: string) => write(file, text);
    late('old.txt', 'edited meanwhile');
    late('back/first', 'made meanwhile');
    const { results } = applyPlan(layout, { verb: 'test', steps });
    expect(results.map(({ outcome }) => outcome)).toEqual([
      'done',
      'done',
      'conflict',
      'done',
      'conflict',
      'done',
      'done-otherwise',
      'done',
      'done',
    ]);
    expect(fs.readFileSync(path.join(root, 'old.txt'), 'utf8')).toBe('edited meanwhile');
    expect(fs.readFileSync(path.join(root, 'back/first'), 'utf8')).toBe('made meanwhile');
    expect(state().contents.has('first')).toBe(true);
    expect(state().clean).toBe(true);
  });

  it('leaves alone a file that only its change time gives away', () => {
    const steps = fixture();
    const file = path.join(root, 'untracked.txt');
    fs.utimesSync(file, 1_500_000_000, 1_500_000_000);
    const step = steps[5] as Extract<Step, { do: 'place' }>;
    const planned = { ...step, expect: expected('untracked.txt') };
    fs.writeFileSync(file, 'UNTRACKED');
    fs.utimesSync(file, 1_500_000_000, 1_500_000_000);
    const { results } = applyPlan(layout, { verb: 'test', steps: [planned] });
    expect(results[0]).toMatchObject({ outcome: 'conflict' });
    expect(fs.readFileSync(file, 'utf8')).toBe('UNTRACKED');
  });

  it('makes names and the net durable before the journal says that all is done', () => {
    const steps = fixture();
    const opened = new Map<number, string>();
    const synced = new Set<string>();
    let before: ReadonlySet<string> | undefined;
    const { openSync, fsyncSync, writeSync } = fs;
    fs.openSync = (file, ...rest) => {
      const fd = openSync(file, ...rest);
      opened.set(fd, fs.readlinkSync(`/proc/self/fd/${fd}`));
      return fd;
    };
    fs.fsyncSync = (fd) => {
      fsyncSync(fd);
      synced.add(opened.get(fd)!);
    };
    calls['writeSync'] = (...given) => {
      if (String(given[1]).includes('"committed"')) before = new Set(synced);
      return (writeSync as Call)(...given);
    };
    try {
      applyPlan(layout, { verb: 'test', steps });
    } finally {
      Object.assign(fs, { openSync, fsyncSync, writeSync });
    }
    const shards = ['new version', 'untracked'].map((text) =>
      path.join(layout.safety, hash(text).slice(0, 2)),
    );
    const wanted = [root, path.join(root, 'back'), layout.journal, ...shards];
    expect(wanted.filter((dir) => !before?.has(dir))).toEqual([]);
  });

  it('does not rely on an entry of the net that holds something else', () => {
    const steps = fixture();
    fs.writeFileSync(
      path.join(layout.dot, (steps[2] as Extract<Step, { do: 'place' }>).content.source),
      'spoil',
    );
    const { results } = applyPlan(layout, { verb: 'test', steps });
    expect(results[2]).toMatchObject({ outcome: 'failed', reason: 'no intact copy of its content is here' });
    expect(results.filter(({ outcome }) => outcome !== 'done').length).toBe(2);
    expect(fs.existsSync(path.join(root, 'back/first'))).toBe(false);
    expect(state().clean).toBe(true);
  });

  it.each([
    ['with links', false],
    ['without links', true],
  ])('killed at every call, then finished: %s', (_, refuseLinks) => {
    fixture();
    const before = state();
    const planned = fresh();
    killedAt(
      Number.POSITIVE_INFINITY,
      () => void applyPlan(layout, { verb: 'test', steps: planned }),
      refuseLinks,
    );
    const after = state();
    const seen = { before: 0, after: 0 };
    for (let n = 1; ; n++) {
      const steps = fresh();
      const { killed } = killedAt(n, () => void applyPlan(layout, { verb: 'test', steps }), refuseLinks);
      if (!killed) break;
      killedAt(Number.POSITIVE_INFINITY, () => void replayJournal(layout), refuseLinks);
      const now = state();
      expect(now.clean, `left over after a kill at call ${n}`).toBe(true);
      expect([...now.contents].sort(), `contents after a kill at call ${n}`).toEqual([...ALL].sort());
      const unchanged = JSON.stringify(now.tree) === JSON.stringify(before.tree);
      if (!unchanged) expect(now.tree, `tree after a kill at call ${n}`).toEqual(after.tree);
      seen[unchanged ? 'before' : 'after']++;
    }
    expect(seen.before).toBeGreaterThan(15);
    expect(seen.after).toBeGreaterThan(30);
  });

  it.each([
    ['with links', false],
    ['without links', true],
  ])('killed, and killed again while finishing: %s', (_, refuseLinks) => {
    const planned = fresh();
    killedAt(
      Number.POSITIVE_INFINITY,
      () => void applyPlan(layout, { verb: 'test', steps: planned }),
      refuseLinks,
    );
    const after = state();
    let points = 0;
    for (let n = 1; ; n += 4) {
      const prepare = () => {
        const steps = fresh();
        return killedAt(n, () => void applyPlan(layout, { verb: 'test', steps }), refuseLinks).killed;
      };
      if (!prepare()) break;
      if (!hasPending(layout)) continue;
      for (let m = 1 + (n % 5); ; m += 6) {
        const again = killedAt(m, () => void replayJournal(layout), refuseLinks);
        killedAt(Number.POSITIVE_INFINITY, () => void replayJournal(layout), refuseLinks);
        const now = state();
        expect(now.clean, `left over after kills at ${n} and ${m}`).toBe(true);
        expect([...now.contents].sort(), `contents after kills at ${n} and ${m}`).toEqual([...ALL].sort());
        if (now.tree['/old.txt'] !== 'file new version')
          expect(now.tree, `tree after kills at ${n} and ${m}`).toEqual(after.tree);
        points++;
        if (!again.killed) break;
        prepare();
      }
    }
    expect(points).toBeGreaterThan(30);
  });

  it.each(['btrfs', 'exfat'] as const)('on %s', (type) => {
    const mount = mountLoop(type);
    if (mount === undefined) return;
    const before = root;
    try {
      root = path.join(mount.point, 'root');
      fs.mkdirSync(root);
      layout = layoutOf(root);
      const steps = fixture();
      const { results, stopped } = applyPlan(layout, { verb: 'test', steps });
      expect(stopped).toBeUndefined();
      const odd = type === 'exfat' ? ['done', 'failed'] : ['done'];
      for (const { outcome, step } of results) {
        if (step.path.includes('%') || step.do === 'symlink') expect(odd).toContain(outcome);
        else expect(outcome).toBe(step.path === 'inTheWay' ? 'done-otherwise' : 'done');
      }
      const { tree, contents, clean } = state();
      expect([...contents].sort()).toEqual([...ALL].sort());
      expect(clean).toBe(true);
      expect(tree['/old.txt']).toBe('file second');
      if (type === 'btrfs') expect(tree['/back/caf\xe9']).toBe('file equal content 640 1700000000123456789');
    } finally {
      root = before;
      mount.unmount();
    }
  });
});

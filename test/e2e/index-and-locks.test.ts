import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { editSmallTree, smallTree } from '../../fixtures/small-tree.ts';
import { wrongRecords } from '../support/agreement.ts';
import { BK, bk, explained, repository, run } from '../support/bk.ts';
import { fsckProblems, head } from '../support/history.ts';
import { editImage, mounted, needsFileSystem } from '../support/mounts.ts';
import { leftovers } from '../support/oracle.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { fastFolder } from '../support/temporary.ts';

function small(prefix = 'bk-index-'): string {
  const root = fastFolder(prefix);
  smallTree(root);
  repository(root);
  return root;
}

const INDEX = ['index.sqlite', 'index.sqlite-wal', 'index.sqlite-shm'];

/** K11: whatever becomes of the index, the next command is right, and nothing is deleted because of it. */
const SPOILT: readonly { readonly name: string; readonly spoil: (dot: string) => void }[] = [
  {
    name: 'deleted',
    spoil: (dot) => {
      for (const name of INDEX) fs.rmSync(path.join(dot, name), { force: true });
    },
  },
  { name: 'emptied', spoil: (dot) => write(dot, Buffer.alloc(0)) },
  {
    name: 'zeroed',
    spoil: (dot) => write(dot, Buffer.alloc(fs.statSync(path.join(dot, 'index.sqlite')).size)),
  },
  {
    name: 'no database',
    spoil: (dot) => write(dot, Buffer.from('this is a letter, not an index\n'.repeat(400))),
  },
  {
    name: 'half of it',
    spoil: (dot) => {
      const bytes = fs.readFileSync(path.join(dot, 'index.sqlite'));
      write(dot, bytes.subarray(0, bytes.length / 2));
    },
  },
  {
    name: 'noise in the middle',
    spoil: (dot) => {
      const bytes = fs.readFileSync(path.join(dot, 'index.sqlite'));
      write(dot, bytes.fill(0xa5, bytes.length / 4, bytes.length / 2));
    },
  },
];

function write(dot: string, bytes: Buffer): void {
  for (const name of INDEX) fs.rmSync(path.join(dot, name), { force: true });
  fs.writeFileSync(path.join(dot, 'index.sqlite'), bytes);
}

describe('the index', () => {
  test.each(SPOILT)('$name: status and commit are right at once', ({ spoil }) => {
    const root = small();
    editSmallTree(root);
    const wanted = bk(['-C', root, 'status']).changes;
    spoil(path.join(root, '.bk'));
    expect(bk(['-C', root, 'status']).changes).toEqual(wanted);
    const { changes } = bk(['-C', root, 'commit', '-m', 'x', '--keep-deletions'], { expect: [0] });
    expect(changes.map(({ type, path: at }) => `${type} ${at}`)).toEqual(
      wanted.map(({ type, path: at }) => `${type} ${at}`),
    );
    expect(bk(['-C', root, 'recover', '--list']).recoverable.map((one) => one.path)).toContain('top.bin');
    expect([...fsckProblems(root), ...wrongRecords(root)]).toEqual([]);
  });

  test('an older index brought back deletes and resurrects nothing', () => {
    const root = small();
    const dot = path.join(root, '.bk');
    const old = fs.readFileSync(path.join(dot, 'index.sqlite'));
    editSmallTree(root);
    bk(['-C', root, 'commit', '-m', 'second', '--keep-deletions']);
    write(dot, old);
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
    expect(bk(['-C', root, 'commit', '-m', 'third']).commit).toBeNull();
  });

  test('reindex keeps what the net holds recoverable', () => {
    const root = small();
    editSmallTree(root);
    bk(['-C', root, 'commit', '-m', 'second', '--keep-deletions']);
    const before = run(['-C', root, '--json', 'recover', '--list']).stdout;
    bk(['-C', root, 'reindex'], { expect: [0] });
    expect(run(['-C', root, '--json', 'recover', '--list']).stdout).toBe(before);
  });
});

describe('locks', () => {
  test('lock files of a killed process do not stop the next commit', () => {
    const root = small();
    const history = path.join(root, '.bk/history');
    for (const name of ['refs/heads/main.lock', 'HEAD.lock', 'config.lock', 'packed-refs.lock']) {
      fs.writeFileSync(path.join(history, name), '');
    }
    fs.appendFileSync(path.join(root, 'notes/todo.txt'), 'x');
    expect(bk(['-C', root, 'commit', '-m', 'x'], { expect: [0] }).changes.length).toBe(1);
    expect(fs.existsSync(path.join(history, 'refs/heads/main.lock'))).toBe(false);
  });

  test('one writer at a time; readers never wait; the lock dies with its holder', async () => {
    const root = small();
    const program = `
      const Database = require(${JSON.stringify(path.resolve('node_modules/better-sqlite3'))});
      const db = new Database(${JSON.stringify(path.join(root, '.bk/lock.sqlite'))});
      db.exec('BEGIN EXCLUSIVE');
      console.log('held');
      setInterval(() => {}, 1000);`;
    const holder = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    fs.appendFileSync(path.join(root, 'notes/todo.txt'), 'x');
    const refused = run(['-C', root, 'commit', '-m', 'x']);
    expect([refused.code, explained(refused)], refused.stderr).toEqual([4, true]);
    expect(bk(['-C', root, 'status']).changes.length).toBe(1);
    const gone = new Promise((resolve) => holder.once('close', resolve));
    holder.kill('SIGKILL');
    await gone;
    expect(bk(['-C', root, 'commit', '-m', 'x'], { expect: [0] }).changes.length).toBe(1);
  });
});

describe('edits that hide', () => {
  test('same size, same mtime, right after the commit', () => {
    const root = small();
    const file = path.join(root, 'notes/todo.txt');
    for (let i = 0; i < 5; i++) {
      const { atime, mtime } = fs.statSync(file);
      const bytes = fs.readFileSync(file);
      bytes[0] = (bytes[0] ?? 0) ^ 1;
      const fd = fs.openSync(file, 'r+');
      fs.writeSync(fd, bytes, 0, bytes.length, 0);
      fs.closeSync(fd);
      fs.utimesSync(file, atime, mtime);
      expect(bk(['-C', root, 'commit', '-m', `hidden ${i}`]).changes).toMatchObject([
        { path: 'notes/todo.txt' },
      ]);
    }
  });

  test('rot: other bytes on the disk under the same times', (context) => {
    needsFileSystem(context, 'ext4');
    const point = mounted('ext4');
    const root = path.join(point, 'repo');
    smallTree(root);
    const needle = 'a sentence that lies on the disk exactly once, for the disk to forget';
    fs.writeFileSync(path.join(root, 'notes/precious.txt'), needle);
    repository(root);
    bk(['-C', root, 'status']); // looks again at what was too young to be trusted
    editImage(point, needle, needle.replace('forget', 'f0rget'));
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
    expect(bk(['-C', root, 'status', '--rehash']).changes).toMatchObject([
      { type: 'modified', path: 'notes/precious.txt', suspect: 'rot' },
    ]);
    const verified = run(['-C', root, '--json', 'verify']);
    expect(verified.code, verified.stderr).toBe(1);
    expect(JSON.stringify(JSON.parse(verified.stdout).rot)).toContain('notes/precious.txt');
    fs.writeFileSync(path.join(root, 'notes/todo.txt'), 'an edit is no rot\n');
    const again = run(['-C', root, '--json', 'verify']);
    expect(JSON.stringify(JSON.parse(again.stdout).changed)).toContain('notes/todo.txt');
  });
});

test('status writes nothing into the history', () => {
  const root = small();
  const before = head(root);
  const dot = snapshot(path.join(root, '.bk/history'));
  bk(['-C', root, 'status']);
  expect(head(root)).toBe(before);
  expect(differences(dot, snapshot(path.join(root, '.bk/history')))).toEqual([]);
});

test('interrupted by Ctrl-C: 130 or done, no leftovers, no stack', async () => {
  const root = fastFolder('bk-interrupt-');
  for (let i = 0; i < 2000; i++) fs.writeFileSync(path.join(root, `file ${i}`), `${i}`);
  bk(['init', root]);
  for (const delay of [60, 120, 200]) {
    const child = spawn(BK, ['-C', root, 'commit', '-m', 'x'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (data: Buffer) => {
      stderr += data.toString();
    });
    const timer = setTimeout(() => child.kill('SIGINT'), delay);
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    clearTimeout(timer);
    expect([0, 130, null], stderr).toContain(code);
    expect(stderr).not.toMatch(/\n\s+at /);
  }
  bk(['-C', root, 'commit', '-m', 'x'], { expect: [0] });
  expect([...fsckProblems(root), ...leftovers(root)]).toEqual([]);
});

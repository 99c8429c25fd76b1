import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { GitId } from '@bk/core';
import { describe, expect, test } from 'vitest';
import { MAIN, newHistory } from './history.fixture.ts';
import { HistoryReader } from './reader.ts';
import { isRefName, listRefs, readRef, updateRef } from './refs.ts';

const UUID = '0190a1b2-c3d4-7e5f-8a6b-0123456789ab';
const PRESENCE = `refs/bk/repositories/${UUID}`;
const NONE = 'f'.repeat(40) as GitId;

describe('isRefName', () => {
  test.each([
    [MAIN, true],
    [PRESENCE, true],
    ['refs/remotes/disk-2/main', true],
    ['refs/remotes/Büro/main', true],
    ['HEAD', false],
    ['refs/heads', false],
    ['refs/heads/../x', false],
    ['refs/heads/.x', false],
    ['refs/heads/x.lock', false],
    ['refs/heads//x', false],
    ['refs/heads/x.', false],
    ['refs/heads/a b', false],
    ['refs/heads/a\nb', false],
    ['refs/heads/a@{1}', false],
    ['/refs/heads/x', false],
    ['refs/heads/-x', false],
  ])('%j: %s', (name, expected) => {
    expect(isRefName(name)).toBe(expected);
    using history = newHistory();
    if (!expected)
      expect(() => readRef(history.dir, name)).toThrow(expect.objectContaining({ code: 'usage' }));
    else expect(history.git('check-ref-format', name)).toBe('');
  });
});

describe('updateRef', () => {
  test('moves a ref only from where it is expected to be', () => {
    using history = newHistory();
    const a = history.commit({ x: '1' });
    const b = history.commit({ x: '2' });
    expect(readRef(history.dir, MAIN)).toBeUndefined();
    updateRef(history.dir, MAIN, undefined, a);
    expect(() => updateRef(history.dir, MAIN, undefined, b)).toThrow(
      expect.objectContaining({ code: 'refused' }),
    );
    expect(() => updateRef(history.dir, MAIN, b, a)).toThrow(expect.objectContaining({ code: 'refused' }));
    updateRef(history.dir, MAIN, a, b);
    expect(readRef(history.dir, MAIN)).toBe(b);
    expect(history.git('rev-parse', 'HEAD').trim()).toBe(b);
    expect(fs.readdirSync(path.join(history.dir, 'refs/heads'))).toEqual(['main']);
  });

  test('a loose ref goes before a packed one, and both are listed once, by name', () => {
    using history = newHistory();
    const a = history.commit({ x: '1' });
    const b = history.commit({ x: '2' });
    for (const name of [MAIN, PRESENCE, 'refs/remotes/nas/main']) updateRef(history.dir, name, undefined, a);
    history.git('pack-refs', '--all', '--prune');
    expect(fs.existsSync(path.join(history.dir, PRESENCE))).toBe(false);
    expect(readRef(history.dir, PRESENCE)).toBe(a);
    updateRef(history.dir, PRESENCE, a, b);
    expect(readRef(history.dir, PRESENCE)).toBe(b);
    updateRef(history.dir, 'refs/remotes/disk/main', undefined, b);
    expect(listRefs(history.dir, 'refs/')).toEqual([
      [PRESENCE, b],
      [MAIN, a],
      ['refs/remotes/disk/main', b],
      ['refs/remotes/nas/main', a],
    ]);
    expect(listRefs(history.dir, 'refs/remotes/')).toHaveLength(2);
    expect(listRefs(history.dir, 'refs/nothing/')).toEqual([]);
  });

  test('a lock left by a killed process is removed by the holder of the exclusive lock only', () => {
    using history = newHistory();
    const a = history.commit({ x: '1' });
    const lock = path.join(history.dir, `${MAIN}.lock`);
    fs.writeFileSync(lock, '');
    fs.utimesSync(lock, 1_700_000_000, 1_700_000_000);
    expect(() => updateRef(history.dir, MAIN, undefined, a)).toThrow(
      expect.objectContaining({ code: 'locked', path: lock }),
    );
    expect(fs.existsSync(lock)).toBe(true);
    updateRef(history.dir, MAIN, undefined, a, { exclusive: true });
    expect(readRef(history.dir, MAIN)).toBe(a);
    fs.writeFileSync(lock, '');
    fs.utimesSync(lock, Date.now() / 1000 + 60, Date.now() / 1000 + 60);
    expect(() => updateRef(history.dir, MAIN, a, a, { exclusive: true })).toThrow(
      expect.objectContaining({ code: 'locked' }),
    );
  });

  test.each(['', '\n', 'garbage', `${'a'.repeat(39)}\n`, '\0'.repeat(41), 'ref: refs/heads/x\n'])(
    'a ref file that holds %j is damaged, never absent',
    (text) => {
      using history = newHistory();
      fs.writeFileSync(path.join(history.dir, MAIN), text);
      const damaged = expect.objectContaining({ code: 'damaged' });
      expect(() => readRef(history.dir, MAIN)).toThrow(damaged);
      expect(() => listRefs(history.dir, 'refs/')).toThrow(damaged);
      expect(() => updateRef(history.dir, MAIN, undefined, NONE)).toThrow(damaged);
      expect(fs.readdirSync(path.join(history.dir, 'refs/heads'))).toEqual(['main']);
    },
  );

  test('a damaged packed-refs is damaged, not absent', () => {
    using history = newHistory();
    fs.writeFileSync(
      path.join(history.dir, 'packed-refs'),
      '# pack-refs with: peeled\nxyz refs/heads/main\n',
    );
    expect(() => readRef(history.dir, MAIN)).toThrow(expect.objectContaining({ code: 'damaged' }));
  });

  test('two processes that commit at the same time lose nothing', async () => {
    using history = newHistory();
    const first = history.commit({ x: '1' }, { main: true });
    const racer = fileURLToPath(new URL('./racer.fixture.ts', import.meta.url));
    const run = (name: string) =>
      promisify(execFile)(process.execPath, [racer, history.dir, history.staging, name, '25']);
    const outputs = await Promise.all([run('one'), run('two')]);
    const made = outputs.flatMap(({ stdout }) => stdout.trim().split('\n'));
    const reachable = history.git('rev-list', 'main').trim().split('\n');
    expect(new Set(reachable)).toEqual(new Set([...made, first]));
    expect(made).toHaveLength(50);
    const reader = new HistoryReader(history.dir);
    expect(reader.readCommit(readRef(history.dir, MAIN)!).parents).toHaveLength(1);
    expect(history.git('fsck', '--strict', '--no-dangling')).toBe('');
    reader.close();
  });
});

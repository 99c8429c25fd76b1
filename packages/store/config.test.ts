import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { BkError, subsetHash } from '@bk/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Config,
  checkedName,
  readConfig,
  settingsOf,
  withLost,
  withoutLost,
  withoutRemote,
  withRemote,
  withSetting,
  withSubset,
  writeConfig,
} from './config.ts';
import { isRefName } from './history/refs.ts';
import { checkedRemoteName, isRemoteName, remoteNameFor } from './remote-name.ts';

const ID = '0199a3c1-1111-7222-8333-444455556666';
const HASH = 'ab'.repeat(32);
const plain: Config = { v: 1, id: ID, name: 'photos', settings: {} };

let dir: string;
let file: string;
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-config-'));
  file = path.join(dir, 'config.json');
});
afterEach(() => fs.rmSync(dir, { recursive: true }));

describe('config.json', () => {
  test('is what was written, private, and keeps what a newer bk added', () => {
    const config = {
      ...plain,
      settings: { copies: '3', 'future.key': 'x' },
      volume: { id: 'a', size: 1 },
      later: [1],
    };
    writeConfig(file, config);
    expect(readConfig(file)).toEqual(config);
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
    expect(fs.readdirSync(dir)).toEqual(['config.json']);
  });

  test('is absent in a half-made repository', () => {
    expect(readConfig(file)).toBeUndefined();
  });

  test.each([
    ['', 'damaged'],
    ['{', 'damaged'],
    ['[]', 'damaged'],
    ['{"v":1}', 'damaged'],
    ['{"v":2}', 'refused'],
    ['{"v":"1"}', 'damaged'],
    [JSON.stringify({ ...plain, id: '../../x' }), 'damaged'],
    [JSON.stringify({ ...plain, name: 7 }), 'damaged'],
    [JSON.stringify({ ...plain, settings: [] }), 'damaged'],
    [JSON.stringify({ ...plain, settings: { copies: 2 } }), 'damaged'],
    [JSON.stringify({ ...plain, settings: { copies: 'two' } }), 'damaged'],
    [JSON.stringify({ ...plain, volume: 'x' }), 'damaged'],
    [JSON.stringify({ ...plain, volume: { id: '' } }), 'damaged'],
    [JSON.stringify({ ...plain, volume: { id: 'two words' } }), 'damaged'],
    [JSON.stringify({ ...plain, volume: { id: 'x'.repeat(129) } }), 'damaged'],
    [JSON.stringify({ ...plain, volume: { id: 'a', inode: 5 } }), 'damaged'],
    [JSON.stringify({ ...plain, volume: { id: 'a', birth: '1.5' } }), 'damaged'],
    [JSON.stringify({ ...plain, copyOf: 'x' }), 'damaged'],
    [JSON.stringify({ ...plain, subset: [] }), 'damaged'],
    [JSON.stringify({ ...plain, subset: { include: ['a'], exclude: [] } }), 'damaged'],
    [JSON.stringify({ ...plain, subset: { include: [1], exclude: [], hash: HASH } }), 'damaged'],
    [JSON.stringify({ ...plain, subset: { include: [], hash: HASH } }), 'damaged'],
    [JSON.stringify({ ...plain, remotes: [] }), 'damaged'],
    [JSON.stringify({ ...plain, remotes: { a: '/b' } }), 'damaged'],
    [JSON.stringify({ ...plain, remotes: { a: {} } }), 'damaged'],
    [JSON.stringify({ ...plain, remotes: { a: { address: '' } } }), 'damaged'],
    [JSON.stringify({ ...plain, remotes: { a: { address: '/b\nc' } } }), 'damaged'],
    [JSON.stringify({ ...plain, remotes: { 'a/b': { address: '/b' } } }), 'damaged'],
    [JSON.stringify({ ...plain, remotes: { '-a': { address: '/b' } } }), 'damaged'],
    [JSON.stringify({ ...plain, remotes: { a: { address: '/b', id: 'x' } } }), 'damaged'],
    [JSON.stringify({ ...plain, remotes: { a: { address: '/b', lastSeen: 'today' } } }), 'damaged'],
    [JSON.stringify({ ...plain, lost: [ID] }), 'damaged'],
    [JSON.stringify({ ...plain, lost: { disk2: '2026-10-01T12:00:00.000000000Z' } }), 'damaged'],
    [JSON.stringify({ ...plain, lost: { [ID]: true } }), 'damaged'],
    [JSON.stringify({ ...plain, lost: { [ID]: '2026-10-01' } }), 'damaged'],
  ])('%j is refused as %s, and the file is named', (text, code) => {
    fs.writeFileSync(file, text);
    expect(() => readConfig(file)).toThrow(expect.objectContaining({ code, path: file }));
  });

  test('has all parts of a repository with others', () => {
    const config: Config = {
      ...plain,
      volume: {
        id: '63470456-ddc7-4f88-a32c-155619b92bcb',
        inode: '12',
        birth: '1795187827676785359',
        subvolume: '5',
      },
      subset: { include: ['Pictures'], exclude: ['**/*.raw'], hash: HASH },
      remotes: {
        disk2: { address: '/mnt/disk2' },
        'ü-(2)': { address: 'ssh://nas/x', id: ID, lastSeen: '2026-10-01T12:00:00.000000000Z' },
      },
      lost: { [ID]: '2026-10-01T12:00:00.000000000Z' },
      copyOf: ID,
    };
    writeConfig(file, config);
    expect(readConfig(file)).toEqual(config);
  });

  test('of an older bk: volume facts without an id are none', () => {
    fs.writeFileSync(file, JSON.stringify({ ...plain, volume: { inode: '5' } }));
    expect(readConfig(file)).toEqual(plain);
  });

  test('that cannot be read is an error, not an absence', () => {
    fs.mkdirSync(file);
    expect(() => readConfig(file)).toThrow(expect.objectContaining({ code: 'EISDIR' }));
  });
});

describe('subset and remotes', () => {
  test('a subset comes with its hash, and everything is none', () => {
    const some = withSubset(plain, { include: ['a', 'b', 'a'], exclude: ['c'] });
    expect(some.subset).toEqual({
      include: ['a', 'b'],
      exclude: ['c'],
      hash: subsetHash({ include: ['a', 'b'], exclude: ['c'] }),
    });
    expect(withSubset(some, { include: [], exclude: [] })).toEqual(plain);
    expect(() => withSubset(plain, { include: [''], exclude: [] })).toThrow(BkError);
  });

  test('lost repositories are in order of their ids, each with its last time', () => {
    const other = ID.replace('0', 'f');
    const two = withLost(withLost(plain, other, '1'), ID, '2');
    expect(Object.entries(two.lost ?? {})).toEqual([
      [ID, '2'],
      [other, '1'],
    ]);
    expect(withoutLost(two, [ID])).toEqual({ ...plain, lost: { [other]: '1' } });
    expect(withoutLost(two, [ID, other])).toEqual(plain);
    expect(withoutLost(plain, [ID])).toEqual(plain);
    expect(withLost(two, ID, '3')).toEqual({ ...plain, lost: { [ID]: '3', [other]: '1' } });
  });

  test('remotes are added, replaced and removed; nothing else changes', () => {
    const one = withRemote(plain, 'b', { address: '/b' });
    const two = withRemote(one, 'a', { address: '/a', id: ID });
    expect(Object.entries(two.remotes ?? {})).toEqual([
      ['a', { address: '/a', id: ID }],
      ['b', { address: '/b' }],
    ]);
    expect(withRemote(two, 'b', { address: '/c' }).remotes).toMatchObject({ b: { address: '/c' } });
    expect(withoutRemote(two, 'a')).toEqual(one);
    expect(withoutRemote(one, 'b')).toEqual(plain);
    expect(withoutRemote(one, 'no')).toBe(one);
    expect(withoutRemote(one, 'toString')).toBe(one);
    expect(plain).not.toHaveProperty('remotes');
  });

  test.each(['disk2', 'Großes-Archiv', 'a.b', 'x+1', 'disk(2)', '2nd', 'abcdef', '__proto__', '日本'])(
    '%s is a name for a remote',
    (name) => {
      expect(checkedRemoteName(name)).toBe(name);
      expect(isRefName(`refs/remotes/${name}/main`)).toBe(true);
      writeConfig(file, withRemote(plain, name, { address: '/x' }));
      expect(Object.keys(readConfig(file)?.remotes ?? {})).toEqual([name]);
    },
  );

  test.each([
    '',
    '-x',
    '.x',
    'a/b',
    'a b',
    'a..b',
    'a.',
    'x.lock',
    'HEAD',
    'yesterday',
    '2026-10-01',
    'a~1',
    'a:b',
    'a*',
    'x\n',
    '\ud800',
    '@',
    'x'.repeat(101),
  ])('%j is none', (name) => {
    expect(() => withRemote(plain, name, { address: '/x' })).toThrow(
      expect.objectContaining({ code: 'usage' }),
    );
  });

  test.each([
    ['photos', [], 'photos'],
    ['disk 2', [], 'disk-2'],
    ['Photos', ['photos'], 'Photos-2'],
    ['photos', ['photos', 'photos-2'], 'photos-3'],
    [' ../x/..', [], 'x'],
    ['HEAD', [], 'HEAD-2'],
    ['...', [], 'remote'],
    ['ä'.repeat(60), [], 'ä'.repeat(50)],
    ['ä'.repeat(60), ['ä'.repeat(50)], `${'ä'.repeat(49)}-2`],
  ])('%j beside %j is known as %s', (name, taken, expected) => {
    expect(remoteNameFor(name, taken)).toBe(expected);
    expect(isRemoteName(expected)).toBe(true);
  });

  test('any name of a repository gives a name for a remote', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        expect(isRemoteName(remoteNameFor(name))).toBe(true);
      }),
    );
  });
});

describe('settings', () => {
  test('have defaults', () => {
    expect(settingsOf(plain)).toEqual({
      'author.name': undefined,
      'author.email': undefined,
      copies: 2,
      'safety.release': { when: 'commit' },
      'safety.replacedDays': 30,
      'safety.replacedFreePercent': 5,
      'safety.copyLimit': 1_048_576,
      setuid: false,
    });
  });

  test.each([
    ['author.name', 'Ada Lovelace', 'Ada Lovelace'],
    ['copies', '3', 3],
    ['safety.release', 'commits:5', { when: 'commits', count: 5 }],
    ['safety.release', 'age:90', { when: 'age', days: 90 }],
    ['safety.release', 'space:10', { when: 'space', percent: 10 }],
    ['safety.copyLimit', '64KiB', 65_536],
    ['safety.copyLimit', '2 MB', 2_097_152],
    ['safety.copyLimit', '0', 0],
    ['setuid', 'true', true],
  ])('%s = %s is read as %j, and goes back to its default', (key, text, value) => {
    const changed = withSetting(plain, key, text);
    expect(settingsOf(changed)).toMatchObject({ [key]: value });
    expect(withSetting(changed, key, undefined)).toEqual(plain);
  });

  test.each([
    ['copies', '0'],
    ['copies', '-1'],
    ['copies', '1.5'],
    ['copies', ''],
    ['safety.release', 'never'],
    ['safety.release', 'commits'],
    ['safety.release', 'commits:0'],
    ['safety.release', 'space:101'],
    ['safety.copyLimit', '1 XB'],
    ['setuid', 'yes'],
    ['author.name', 'a\nb'],
    ['author.email', 'a>b'],
    ['no.such', '1'],
    ['__proto__', '1'],
    ['toString', '1'],
  ])('%s = %j is refused', (key, text) => {
    expect(() => withSetting(plain, key, text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('the name is one of them, and checked', () => {
    expect(withSetting(plain, 'name', ' disk 2 ').name).toBe('disk 2');
    for (const wrong of ['', ' ', 'a\nb', 'a/b', '\x1b[1m', 'x'.repeat(101), '\ud800']) {
      expect(() => checkedName(wrong), JSON.stringify(wrong)).toThrow(
        expect.objectContaining({ code: 'usage' }),
      );
    }
  });
});

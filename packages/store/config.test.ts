import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Config, checkedName, readConfig, settingsOf, withSetting, writeConfig } from './config.ts';

const ID = '0199a3c1-1111-7222-8333-444455556666';
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
  ])('%j is refused as %s, and the file is named', (text, code) => {
    fs.writeFileSync(file, text);
    expect(() => readConfig(file)).toThrow(expect.objectContaining({ code, path: file }));
  });

  test('that cannot be read is an error, not an absence', () => {
    fs.mkdirSync(file);
    expect(() => readConfig(file)).toThrow(expect.objectContaining({ code: 'EISDIR' }));
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

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { config } from './config.ts';
import { init } from './init.ts';
import { openRepository, type Repository } from './repository.ts';

let dir: string;
let repo: Repository;
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-config-'));
  const random = (bytes: number) => new Uint8Array(bytes);
  init(dir, { name: 'photos' }, { report: () => {}, nowMs: () => 1, random });
  repo = openRepository(dir);
});
afterEach(() => {
  repo.close();
  fs.rmSync(dir, { recursive: true });
});

test('lists, reads, sets and unsets', () => {
  const keys = config(repo, { do: 'list' }).settings.map(({ key }) => key);
  expect(keys).toContain('copies');
  expect(keys[0]).toBe('name');
  expect(config(repo, { do: 'set', key: 'copies', value: '4' })).toEqual({
    settings: [{ key: 'copies', value: '4', default: false }],
  });
  repo.close();
  repo = openRepository(dir);
  expect(config(repo, { do: 'get', key: 'copies' }).settings).toEqual([
    { key: 'copies', value: '4', default: false },
  ]);
  expect(config(repo, { do: 'unset', key: 'copies' }).settings).toEqual([
    { key: 'copies', value: '2', default: true },
  ]);
  expect(config(repo, { do: 'set', key: 'name', value: 'disk 2' }).settings[0]?.value).toBe('disk 2');
});

test('what is set already is not written again', () => {
  config(repo, { do: 'set', key: 'copies', value: '4' });
  const before = fs.statSync(repo.layout.config, { bigint: true });
  config(repo, { do: 'set', key: 'copies', value: '4' });
  expect(fs.statSync(repo.layout.config, { bigint: true }).ino).toBe(before.ino);
});

test('refuses unknown keys and wrong values', () => {
  expect(() => config(repo, { do: 'get', key: 'no' })).toThrow(expect.objectContaining({ code: 'usage' }));
  expect(() => config(repo, { do: 'set', key: 'copies', value: 'x' })).toThrow(
    expect.objectContaining({ code: 'usage' }),
  );
  expect(() => config(repo, { do: 'unset', key: 'name' })).toThrow(
    expect.objectContaining({ code: 'usage' }),
  );
});

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Place, placeBelow, placeOf } from './place.ts';

let base: string;
let root: string;
const held: Place[] = [];

beforeEach(() => {
  base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'bk-place-')));
  root = path.join(base, 'root');
  fs.mkdirSync(path.join(root, 'a/b'), { recursive: true });
  fs.mkdirSync(path.join(base, 'outside/b'), { recursive: true });
  fs.writeFileSync(path.join(root, 'a/b/here'), '');
  fs.writeFileSync(path.join(base, 'outside/b/there'), '');
  fs.writeFileSync(path.join(root, 'file'), '');
  fs.symlinkSync('../outside', path.join(root, 'out'));
  fs.symlinkSync('a', path.join(root, 'in'));
});
afterEach(() => {
  for (const place of held.splice(0)) place.close();
  fs.rmSync(base, { recursive: true, force: true });
});

function below(given: string): Place {
  const place = placeBelow(root, given);
  held.push(place);
  return place;
}

test.each(['a/b', '/a/b', '//a/./b/', '~/a/b', './a/b'])('%s is below the root', (given) => {
  expect(fs.readdirSync(below(given).path)).toEqual(['here']);
});

test.each(['/', '.', '~'])('%s is the root itself', (given) => {
  expect(fs.realpathSync.native(below(given).path)).toBe(root);
});

test.each([
  ['..', 'refused'],
  ['a/../..', 'refused'],
  ['../outside/b', 'refused'],
  ['out', 'refused'],
  ['out/b', 'refused'],
  ['in/b', 'refused'],
  ['file', 'refused'],
  ['file/x', 'refused'],
  ['', 'refused'],
  ['a\0b', 'refused'],
  ['x/'.repeat(2_000), 'refused'],
  ['nowhere', 'unreachable'],
  ['a/nowhere', 'unreachable'],
  ['~root', 'unreachable'],
  ['%2e%2e/outside', 'unreachable'],
])('%j leads nowhere (%s)', (given, code) => {
  const before = fs.readdirSync('/proc/self/fd').length;
  expect(() => placeBelow(root, given)).toThrow(expect.objectContaining({ code }));
  expect(fs.readdirSync('/proc/self/fd').length).toBe(before);
});

test('what is put in its place after it was found changes nothing', () => {
  const { path: found } = below('a/b');
  fs.renameSync(path.join(root, 'a'), path.join(root, 'moved'));
  fs.symlinkSync('../outside', path.join(root, 'a'));
  expect(fs.readdirSync(path.join(root, 'a/b'))).toEqual(['there']);
  expect(fs.readdirSync(found)).toEqual(['here']);
});

test('without a root: absolute, of the home folder, or relative', () => {
  expect(placeOf('/x/y').path).toBe('/x/y');
  expect(placeOf('~/x').path).toBe(path.join(os.homedir(), 'x'));
  expect(placeOf('x').path).toBe(path.resolve('x'));
  expect(() => placeOf('x\0')).toThrow('no path');
});

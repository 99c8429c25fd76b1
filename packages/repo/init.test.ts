import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { layoutOf, readConfig } from '@bk/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Context } from './context.ts';
import { init } from './init.ts';

const context: Context = {
  report: () => {},
  nowMs: () => Date.UTC(2026, 9, 1),
  random: (bytes) => new Uint8Array(bytes).fill(7),
};

let dir: string;
beforeEach(() => {
  dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'bk-init-')));
});
afterEach(() => fs.rmSync(dir, { recursive: true }));

/** Every path below a folder, to see that nothing changed. */
function everything(folder: string): string[] {
  return fs.readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort();
}

describe('init', () => {
  test('makes all parts, private, and a history that git accepts', () => {
    const made = init(dir, {}, context);
    const layout = layoutOf(dir);
    expect(made).toEqual({ root: dir, id: '01a0f4c2-c400-7707-8707-070707070707', name: path.basename(dir) });
    const { ino, birthtimeNs } = fs.lstatSync(layout.dot, { bigint: true });
    const { volume, ...config } = readConfig(layout.config)!;
    expect(config).toEqual({ v: 1, id: made.id, name: made.name, settings: {} });
    expect(volume?.id).toMatch(/^[\x21-\x7e]{1,128}$/);
    if (volume?.inode !== undefined)
      expect(volume).toMatchObject({ inode: `${ino}`, birth: `${birthtimeNs}` });
    for (const part of [layout.dot, layout.safety, layout.staging, layout.journal, layout.history]) {
      expect(fs.statSync(part).mode & 0o077, part).toBe(0);
    }
    expect(fs.readdirSync(dir)).toEqual(['.bk']);
    execFileSync('git', ['--git-dir', layout.history, 'fsck', '--strict']);
  });

  test('a second time does nothing and says the same', () => {
    const first = init(dir, { name: 'photos' }, context);
    const before = everything(dir);
    expect(init(dir, { name: 'other' }, context)).toEqual(first);
    expect(everything(dir)).toEqual(before);
  });

  test('makes a missing folder, but not its parents', () => {
    expect(init(path.join(dir, 'new'), {}, context).root).toBe(path.join(dir, 'new'));
    const deep = path.join(dir, 'a', 'b');
    expect(() => init(deep, {}, context)).toThrow(expect.objectContaining({ code: 'not-found', path: deep }));
    expect(fs.existsSync(path.join(dir, 'a'))).toBe(false);
  });

  test('refuses inside another repository, also through a link, and makes nothing', () => {
    init(dir, {}, context);
    fs.mkdirSync(path.join(dir, 'sub', 'deep'), { recursive: true });
    const link = `${dir}-link`;
    fs.symlinkSync(path.join(dir, 'sub'), link);
    const before = everything(dir);
    for (const inside of ['sub', 'sub/deep', 'sub/new', '.bk', '.bk/safety', '.bk/new']) {
      const target = path.join(dir, inside);
      expect(() => init(target, {}, context), inside).toThrow(
        expect.objectContaining({ code: 'inside-repository' }),
      );
    }
    expect(() => init(`${link}/deep`, {}, context)).toThrow(
      expect.objectContaining({ code: 'inside-repository' }),
    );
    fs.unlinkSync(link);
    expect(everything(dir)).toEqual(before);
  });

  test('finishes a half-made one, but not one that lost its config', () => {
    fs.mkdirSync(path.join(dir, '.bk', 'staging'), { recursive: true, mode: 0o755 });
    expect(init(dir, {}, context).root).toBe(dir);
    expect(fs.statSync(path.join(dir, '.bk')).mode & 0o777).toBe(0o700);
    const layout = layoutOf(dir);
    fs.writeFileSync(path.join(layout.history, 'refs', 'heads', 'main'), `${'a'.repeat(40)}\n`);
    fs.unlinkSync(layout.config);
    expect(() => init(dir, {}, context)).toThrow(expect.objectContaining({ code: 'damaged' }));
    expect(fs.existsSync(layout.config)).toBe(false);
  });

  test('refuses what is no folder, and a .bk that is none', () => {
    const file = path.join(dir, 'file');
    fs.writeFileSync(file, '');
    expect(() => init(file, {}, context)).toThrow(expect.objectContaining({ code: 'not-found' }));
    fs.symlinkSync('/nowhere', path.join(dir, '.bk'));
    expect(() => init(dir, {}, context)).toThrow(expect.objectContaining({ code: 'refused' }));
  });

  test('takes a usable name from any folder', () => {
    const odd = path.join(dir, ` a\nb\x1b${'ä'.repeat(60)}`);
    expect(init(odd, {}, context).name).toBe(`a b ${'ä'.repeat(48)}`);
    expect(() => init(dir, { name: 'a/b' }, context)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

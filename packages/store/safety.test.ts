import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type ContentHash, PROTECTION } from '@bk/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountLoop } from '../../fixtures/loop-mount.ts';
import { type Layout, layoutOf } from './layout.ts';
import { SafetyNet } from './safety.ts';

let base: string;
let layout: Layout;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-safety-'));
  layout = prepared(base);
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

function prepared(root: string): Layout {
  const made = layoutOf(root);
  fs.mkdirSync(made.safety, { recursive: true });
  fs.mkdirSync(made.staging);
  return made;
}
/** Which hash it is does not matter to the net. */
const hashOf = (text: string) => createHash('sha256').update(text).digest('hex') as ContentHash;

function file(name: string, text: string) {
  const place = path.join(layout.root, name);
  fs.writeFileSync(place, text);
  const { ino, size } = fs.lstatSync(place, { bigint: true });
  return { place, blake3: hashOf(text), inode: ino, size: Number(size) };
}

/** Makes fs.linkSync fail for one call of `work`. */
function refusingLinks<T>(code: string, work: () => T): T {
  const original = fs.linkSync;
  fs.linkSync = () => {
    throw Object.assign(new Error(code), { code });
  };
  try {
    return work();
  } finally {
    fs.linkSync = original;
  }
}

describe('the safety net with hard links', () => {
  const net = () => new SafetyNet(layout, { reflink: false });

  it('keeps one entry for each inode, which survives deletion and replacement', () => {
    const one = file('one', 'same');
    const other = file('other', 'same');
    const keeper = net();
    expect(keeper.protect(one.place, one)).toBe(PROTECTION.link);
    expect(keeper.protect(other.place, other)).toBe(PROTECTION.link);
    expect(keeper.protect(other.place, other)).toBe(PROTECTION.link);
    keeper.makeDurable();
    fs.unlinkSync(one.place);
    fs.writeFileSync(other.place, 'edited in place');
    const entries = net().lookup(one.blake3);
    expect(entries.map(({ inode }) => inode).sort()).toEqual([one.inode, other.inode].sort());
    const texts = entries.map((entry) => fs.readFileSync(entry.file, 'utf8'));
    expect(texts.sort()).toEqual(['edited in place', 'same']);
    expect(entries[0]!.source).toMatch(/^safety\/[0-9a-f]{2}\/[0-9a-f]{62}-[0-9a-z]+$/);
    expect(fs.readdirSync(layout.staging)).toEqual([]);
  });

  it('costs one call a file', () => {
    const keeper = net();
    keeper.makeFolders();
    const one = file('one', 'text');
    let calls = 0;
    const original = { ...fs };
    const watched = fs as unknown as Record<string, (...given: unknown[]) => unknown>;
    for (const [name, value] of Object.entries(original)) {
      if (typeof value !== 'function' || !name.endsWith('Sync')) continue;
      watched[name] = (...given) => {
        calls++;
        return (value as (...given: unknown[]) => unknown)(...given);
      };
    }
    keeper.protect(one.place, one);
    for (const name of Object.keys(original))
      if (name.endsWith('Sync')) watched[name] = original[name as 'linkSync'] as never;
    expect(calls).toBe(1);
  });

  it.each(['EPERM', 'EXDEV', 'EMLINK', 'ENOTSUP'])(
    'copies small files where links fail with %s, and says which it cannot keep',
    (code) => {
      const keeper = new SafetyNet(layout, { reflink: false, copyLimit: 10 });
      const small = file('small', '0123456789');
      const large = file('large', '0123456789x');
      expect(refusingLinks(code, () => keeper.protect(small.place, small))).toBe(PROTECTION.copy);
      expect(refusingLinks(code, () => keeper.protect(large.place, large))).toBe(PROTECTION.none);
      fs.writeFileSync(small.place, 'edited');
      const [entry, ...none] = keeper.lookup(small.blake3);
      expect(none).toEqual([]);
      expect(entry).not.toHaveProperty('inode');
      expect(fs.readFileSync(entry!.file, 'utf8')).toBe('0123456789');
      expect(fs.readdirSync(layout.staging)).toEqual([]);
    },
  );

  it('does not hide that the disk is full', () => {
    const one = file('one', 'text');
    expect(() => refusingLinks('ENOSPC', () => net().protect(one.place, one))).toThrow('ENOSPC');
  });

  it('a file that was replaced after it was hashed neither gets an old name nor costs the old one', () => {
    const keeper = net();
    const old = file('one', 'old');
    keeper.protect(old.place, old);
    fs.writeFileSync(path.join(base, 'new'), 'new');
    fs.renameSync(path.join(base, 'new'), old.place);
    expect(keeper.protect(old.place, old)).toBe(PROTECTION.none);
    keeper.unprotect(old);
    expect(fs.readFileSync(keeper.lookup(old.blake3)[0]!.file, 'utf8')).toBe('old');
  });

  it('takes a label back if the file lives on', () => {
    const keeper = net();
    const one = file('one', 'text');
    keeper.protect(one.place, one);
    keeper.unprotect(one);
    expect(net().lookup(one.blake3)).toEqual([]);
  });

  it('D08: drops the label of a content that was written over in place, and only then', () => {
    const keeper = net();
    const one = file('one', 'old');
    keeper.protect(one.place, one);
    fs.writeFileSync(one.place, 'new');
    expect(keeper.dropOverwritten(one.blake3, one.inode, one.place)).toBe(true);
    expect(keeper.dropOverwritten(one.blake3, one.inode, one.place)).toBe(false);
    const two = file('two', 'kept');
    keeper.protect(two.place, two);
    fs.unlinkSync(two.place);
    file('two', 'saved anew');
    expect(keeper.dropOverwritten(two.blake3, two.inode, two.place)).toBe(false);
    expect(keeper.lookup(two.blake3)).toHaveLength(1);
  });

  it('adopts captured files under their inode, once, and links as the text of their target', () => {
    const keeper = net();
    const one = file('one', 'text');
    keeper.protect(one.place, one);
    const captured = path.join(layout.staging, 'c0');
    fs.renameSync(one.place, captured);
    keeper.adopt(captured, one.blake3);
    const two = file('two', 'other');
    fs.renameSync(two.place, captured);
    keeper.adopt(captured, two.blake3);
    fs.symlinkSync('target', captured);
    keeper.adopt(captured, hashOf('target'));
    keeper.makeDurable();
    expect(keeper.lookup(one.blake3)).toHaveLength(1);
    expect(keeper.lookup(two.blake3)[0]!.inode).toBe(two.inode);
    expect(fs.readFileSync(keeper.lookup(hashOf('target'))[0]!.file, 'utf8')).toBe('target');
    expect(fs.readdirSync(layout.staging)).toEqual([]);
  });

  it('lists all, releases one, and names strangers without touching them', () => {
    const keeper = net();
    const files = ['a', 'b', 'c'].map((text) => file(text, text));
    for (const each of files) keeper.protect(each.place, each);
    fs.writeFileSync(path.join(layout.safety, 'note'), '');
    const shard = path.dirname(keeper.lookup(files[0]!.blake3)[0]!.file);
    fs.writeFileSync(path.join(shard, 'other'), '');
    expect([...keeper.list()].map(({ blake3 }) => blake3)).toEqual(files.map(({ blake3 }) => blake3).sort());
    keeper.release(keeper.lookup(files[1]!.blake3)[0]!);
    expect([...net().list()].map(({ blake3 }) => blake3)).toEqual(
      [files[0]!.blake3, files[2]!.blake3].sort(),
    );
    expect(keeper.strangers()).toEqual(['safety/note', `safety/${path.basename(shard)}/other`]);
    expect(fs.existsSync(path.join(layout.safety, 'note'))).toBe(true);
  });

  it('D13: goes on when somebody removed the folder', () => {
    const keeper = net();
    keeper.makeFolders();
    fs.rmSync(layout.safety, { recursive: true });
    const one = file('one', 'text');
    expect(keeper.protect(one.place, one)).toBe(PROTECTION.link);
    expect(net().lookup(one.blake3)).toHaveLength(1);
  });
});

describe('the safety net with reflinks', () => {
  it('on btrfs: independent of the file, shared by equal contents', ({ skip }) => {
    const mount = mountLoop('btrfs');
    if (mount === undefined) return skip('no btrfs here');
    try {
      layout = prepared(path.join(mount.point, 'root'));
      const keeper = new SafetyNet(layout);
      const one = file('one', 'same');
      const other = file('other', 'same');
      expect(keeper.protect(one.place, one)).toBe(PROTECTION.reflink);
      expect(keeper.protect(other.place, other)).toBe(PROTECTION.reflink);
      keeper.makeDurable();
      fs.writeFileSync(one.place, 'edited in place');
      const entries = keeper.lookup(one.blake3);
      expect(entries.map((entry) => fs.readFileSync(entry.file, 'utf8'))).toEqual(['same']);
      // The next command's net has not tried yet; a source that is no longer what was hashed replaces nothing.
      expect(new SafetyNet(layout).protect(one.place, one)).toBe(PROTECTION.reflink);
      const kept = new SafetyNet(layout).lookup(one.blake3);
      expect(kept.map((entry) => fs.readFileSync(entry.file, 'utf8'))).toEqual(['same']);
      expect(fs.readdirSync(layout.staging)).toEqual([]);
    } finally {
      mount.unmount();
    }
  });

  it('on ext4: asks once, then links', ({ skip }) => {
    const mount = mountLoop('ext4');
    if (mount === undefined) return skip('no loop mounts here');
    const original = fs.copyFileSync;
    try {
      layout = prepared(path.join(mount.point, 'root'));
      const keeper = new SafetyNet(layout);
      let asked = 0;
      fs.copyFileSync = (...given) => {
        asked++;
        original(...given);
      };
      for (const text of ['a', 'b', 'c']) {
        const each = file(text, text);
        expect(keeper.protect(each.place, each)).toBe(PROTECTION.link);
      }
      expect(asked).toBe(1);
      expect(fs.readdirSync(layout.staging)).toEqual([]);
    } finally {
      fs.copyFileSync = original;
      mount.unmount();
    }
  });
});

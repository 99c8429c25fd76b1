import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountLoop } from '../../fixtures/loop-mount.ts';
import { native } from './native.ts';
import { subvolumeOf, volumeOf } from './volume.ts';
import { superblockId } from './volume-id.ts';

const TYPES = ['ext4', 'xfs', 'btrfs', 'exfat'] as const;

describe('the id of a volume', () => {
  it.for(TYPES)(
    '%s: the one that blkid says, the same when plugged in again, another for another',
    (type, { skip }) => {
      const one = mountLoop(type);
      if (one === undefined) return skip(`no ${type} here`);
      const other = mountLoop(type);
      try {
        const { uuid } = volumeOf(one.point);
        expect(uuid).toBe(blkid(one.point));
        one.again();
        expect(volumeOf(one.point).uuid).toBe(uuid);
        if (other !== undefined) expect(volumeOf(other.point).uuid).not.toBe(uuid);
        fs.mkdirSync(path.join(one.point, 'a', 'b'), { recursive: true });
        expect(volumeOf(path.join(one.point, 'a', 'b')).uuid).toBe(uuid);
      } finally {
        other?.unmount();
        one.unmount();
      }
    },
  );

  it.for(TYPES)('%s: its first blocks say the same', (type, { skip }) => {
    const mount = mountLoop(type);
    if (mount === undefined) return skip(`no ${type} here`);
    try {
      expect(superblockId(firstBlocks(path.join(path.dirname(mount.point), 'image')))).toBe(
        blkid(mount.point),
      );
    } finally {
      mount.unmount();
    }
  });

  it.for([
    ['mkfs.vfat', '-F32'],
    ['mkfs.vfat', '-F16'],
    ['mkfs.vfat', '-F12'],
    ['mkfs.ntfs', '-F', '-q'],
  ])('%s %s: its first blocks say what blkid says', ([program = '', ...words], { skip }) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-image-'));
    const image = path.join(folder, 'image');
    try {
      fs.writeFileSync(image, '');
      fs.truncateSync(image, 64 << 20);
      skip(!formatted([program, ...words, image]), `needs the program ${program}`);
      expect(superblockId(firstBlocks(image))).toBe(idOfImage(image));
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  it('btrfs: two subvolumes are one volume, and are told apart', ({ skip }) => {
    const mount = mountLoop('btrfs');
    if (mount === undefined) return skip('no btrfs here');
    try {
      const [a, b] = ['a', 'b'].map((name) => path.join(mount.point, name)) as [string, string];
      for (const each of [a, b])
        execFileSync('btrfs', ['-q', 'subvolume', 'create', each], { stdio: 'ignore' });
      expect(volumeOf(a).uuid).toBe(volumeOf(b).uuid);
      if (native() === undefined) return skip('koffi is not there for this system');
      expect(subvolumeOf(a)).toMatch(/^\d+$/);
      expect(subvolumeOf(a)).not.toBe(subvolumeOf(b));
      fs.mkdirSync(path.join(a, 'below'));
      expect(subvolumeOf(path.join(a, 'below'))).toBe(subvolumeOf(a));
    } finally {
      mount.unmount();
    }
  });

  it('of what is none: nothing', () => {
    expect(superblockId(Buffer.alloc(70_000))).toBeUndefined();
    expect(superblockId(Buffer.alloc(70_000, 0xff))).toBeUndefined();
    expect(volumeOf('/proc').uuid).toBeUndefined();
    expect(subvolumeOf('/proc')).toBeUndefined();
  });
});

function formatted([program = '', ...words]: readonly string[]): boolean {
  try {
    execFileSync(program, words, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function blkid(point: string): string {
  return idOfImage(path.join(path.dirname(point), 'image'));
}

/** Not from blkid's cache, which knows an older file of that name. */
function idOfImage(image: string): string {
  return execFileSync('blkid', ['-p', '-s', 'UUID', '-o', 'value', image], { encoding: 'utf8' })
    .trim()
    .toLowerCase();
}

function firstBlocks(image: string): Buffer {
  const fd = fs.openSync(image, 'r');
  const bytes = Buffer.alloc(70_000);
  fs.readSync(fd, bytes, 0, bytes.length, 0);
  fs.closeSync(fd);
  return bytes;
}

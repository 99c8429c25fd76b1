import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountLoop } from '../../fixtures/loop-mount.ts';
import { probeCapabilities } from './capabilities.ts';
import { mountPointsBelow, parseMount, stableInodes, unescapeOctal, volumeOf } from './volume.ts';

let base: string;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-volume-'));
});
afterEach(() => {
  fs.rmSync(base, { recursive: true, force: true });
});

describe('mountinfo', () => {
  it('reads the fields of proc(5)', () => {
    const line = String.raw`36 35 98:0 /mnt1 /mnt\0402\134x rw,noatime master:1 shared:7 - ext4 /dev/root ro,errors=continue`;
    expect(parseMount(line)).toEqual({
      device: '98:0',
      point: '/mnt 2\\x',
      type: 'ext4',
      source: '/dev/root',
      options: ['rw', 'noatime', 'ro', 'errors=continue'],
    });
    expect(parseMount('')).toBeUndefined();
    expect(unescapeOctal(String.raw`a\011\012\303\251`)).toBe('a\t\n\xc3\xa9');
  });

  it('agrees with findmnt and stat about the folder of temporary files', () => {
    const volume = volumeOf(base);
    const [type, point] = execFileSync('findmnt', ['-no', 'FSTYPE,TARGET', '-T', base], { encoding: 'utf8' })
      .trim()
      .split(/\s+/);
    expect([volume.type, volume.mountPoint]).toEqual([type, point]);
    expect(volume.readOnly).toBe(false);
    expect(mountPointsBelow(base)).toEqual([]);
  });

  it('builds on inode numbers only where they are known to last', () => {
    expect(['ext4', 'btrfs', 'xfs'].every(stableInodes)).toBe(true);
    expect(['fuse.exfat', 'vfat', 'exfat', 'nfs4', 'overlay', 'fuseblk', 'unknown'].some(stableInodes)).toBe(
      false,
    );
  });
});

describe('what file systems can do', () => {
  it('ext4 or whatever temporary files are on: links, modes, ns, any bytes', () => {
    const found = probeCapabilities(base, 'probe');
    expect(found).toMatchObject({
      hardLinks: true,
      symlinks: true,
      modes: true,
      timeStepNs: 1n,
      caseSensitive: true,
      anyBytes: true,
      keepsUnicodeForms: true,
    });
    expect(fs.readdirSync(base)).toEqual([]);
  });

  it('btrfs: reflinks', ({ skip }) => {
    const mount = mountLoop('btrfs');
    if (mount === undefined) return skip('no btrfs here');
    try {
      expect(volumeOf(mount.point)).toMatchObject({
        type: 'btrfs',
        mountPoint: mount.point,
        readOnly: false,
      });
      expect(mountPointsBelow(path.dirname(mount.point))).toEqual(['mount point']);
      expect(probeCapabilities(mount.point, 'probe')).toMatchObject({
        hardLinks: true,
        reflinks: true,
        symlinks: true,
        modes: true,
        timeStepNs: 1n,
      });
    } finally {
      mount.unmount();
    }
  });

  it('exFAT by FUSE: no links, no modes, coarse times, one letter case', ({ skip }) => {
    const mount = mountLoop('exfat');
    if (mount === undefined) return skip('no exFAT here');
    try {
      const found = probeCapabilities(mount.point, 'probe');
      expect(found).toMatchObject({
        hardLinks: false,
        reflinks: false,
        symlinks: false,
        modes: false,
        caseSensitive: false,
      });
      expect(found.timeStepNs).toBeGreaterThanOrEqual(10_000_000n);
      expect(stableInodes(volumeOf(mount.point).type)).toBe(false);
    } finally {
      mount.unmount();
    }
  });
});

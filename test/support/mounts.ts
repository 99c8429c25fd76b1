import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'vitest';
import { hasProgram, isRoot, needs, needsPrograms, needsRoot } from './programs.ts';
import { atEnd, fastFolder } from './temporary.ts';

export type FileSystem = 'ext4' | 'btrfs' | 'xfs' | 'exfat' | 'tmpfs';

const FORMATS: Readonly<Record<FileSystem, { readonly size: string; readonly format: readonly string[] }>> = {
  ext4: {
    size: '24M',
    format: ['mkfs.ext4', '-q', '-F', '-O', '^has_journal', '-N', '4096', '-b', '4096', '-I', '256'],
  },
  btrfs: { size: '160M', format: ['mkfs.btrfs', '-q', '-f'] },
  xfs: { size: '320M', format: ['mkfs.xfs', '-q', '-f'] },
  exfat: { size: '48M', format: ['mkfs.exfat'] },
  tmpfs: { size: '16m', format: [] },
};

/** Skips the test, with the reason, where this file system cannot be mounted. */
export function needsFileSystem(context: Pick<TestContext, 'skip'>, type: FileSystem): void {
  needsRoot(context);
  needsPrograms(
    context,
    ...FORMATS[type].format.slice(0, 1),
    ...(type === 'exfat' ? ['mount.exfat-fuse', 'losetup'] : []),
  );
  needs(context, 'permission to mount', canMount());
}

let mountable: boolean | undefined;
export function canMount(): boolean {
  mountable ??= isRoot && spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
  return mountable;
}

/** A fresh file system of that type, unmounted when the test file is done. @returns its mount point */
export function mounted(type: FileSystem): string {
  const dir = fastFolder(`bk-${type}-`);
  const point = path.join(dir, 'mnt');
  fs.mkdirSync(point);
  const { size, format } = FORMATS[type];
  if (type === 'tmpfs') must(['mount', '-t', 'tmpfs', '-o', `size=${size}`, 'none', point]);
  else {
    const image = path.join(dir, 'image');
    must(['truncate', '-s', size, image]);
    must([...format, image]);
    mountImage(type, image, point);
    images.set(point, image);
  }
  atEnd(() => unmount(point));
  return point;
}

const images = new Map<string, string>();

/** What a failing disk does: other bytes where `was` lay, and no time changes. Both have equal lengths. */
export function editImage(point: string, was: string, is: string): void {
  const image = images.get(point) ?? '';
  unmount(point);
  const bytes = fs.readFileSync(image);
  const at = bytes.indexOf(was);
  if (at < 0) throw new Error('the image does not hold these bytes');
  bytes.write(is, at);
  fs.writeFileSync(image, bytes);
  must(['mount', '-o', 'loop', image, point]);
}

function mountImage(type: FileSystem, image: string, point: string): void {
  if (type !== 'exfat') {
    must(['mount', '-o', 'loop', image, point]);
    return;
  }
  const device = spawnSync('losetup', ['-f', '--show', image], { encoding: 'utf8' }).stdout.trim();
  atEnd(() => spawnSync('losetup', ['-d', device]));
  must(['mount.exfat-fuse', device, point]);
}

export function unmount(point: string): void {
  if (spawnSync('umount', [point]).status !== 0) spawnSync('umount', ['-l', point]);
}

export function must(command: readonly string[]): void {
  const [program = '', ...args] = command;
  const done = spawnSync(program, args, { encoding: 'utf8' });
  if (done.status !== 0) throw new Error(`${command.join(' ')}: ${done.stderr}`);
}

/**
 * A state of a file system that can be brought back exactly, inodes and birth times included: a small ext4 image in
 * memory, copied and mounted for every round (about 10 ms). Without root the state is made anew each time.
 */
export class Template {
  readonly #dir: string;
  readonly #point: string;
  readonly #make: (dir: string) => void;
  readonly #image: boolean;
  #isMounted = false;

  /** @param make fills an empty folder; called once, or at every `fresh` if nothing can be mounted here */
  constructor(make: (dir: string) => void) {
    this.#dir = fastFolder('bk-template-');
    this.#point = path.join(this.#dir, 'mnt');
    this.#make = make;
    this.#image = isRoot && canMount() && hasProgram('mkfs.ext4');
    fs.mkdirSync(this.#point);
    atEnd(() => this.#clear());
    if (this.#image) this.#build();
  }

  /** Whether times and inodes come back, too; else only what `make` writes. */
  get exact(): boolean {
    return this.#image;
  }

  /** @returns the folder, as `make` left it; what an earlier round did there is gone */
  fresh(): string {
    this.#clear();
    if (!this.#image) {
      fs.mkdirSync(this.#point, { recursive: true });
      this.#make(this.#point);
      return this.#point;
    }
    must(['cp', '--sparse=always', path.join(this.#dir, 'template'), path.join(this.#dir, 'image')]);
    must(['mount', '-o', 'loop', path.join(this.#dir, 'image'), this.#point]);
    this.#isMounted = true;
    return this.#point;
  }

  #build(): void {
    const image = path.join(this.#dir, 'template');
    must(['truncate', '-s', FORMATS.ext4.size, image]);
    must([...FORMATS.ext4.format, image]);
    must(['mount', '-o', 'loop', image, this.#point]);
    this.#isMounted = true;
    fs.rmdirSync(path.join(this.#point, 'lost+found'));
    this.#make(this.#point);
    this.#clear();
  }

  #clear(): void {
    if (this.#isMounted) unmount(this.#point);
    else if (!this.#image) fs.rmSync(this.#point, { recursive: true, force: true });
    this.#isMounted = false;
  }
}

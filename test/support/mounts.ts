import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { TestContext } from 'vitest';
import { type PowerLoss, stopFileSystem } from './power.ts';
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

/** With a journal, and without what ext4 does for programs that forget to sync (`noauto_da_alloc`). */
const WITH_JOURNAL = {
  size: '32M',
  format: ['mkfs.ext4', '-q', '-F', '-J', 'size=4', '-N', '4096', '-b', '4096', '-I', '256'],
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

/** A disk that can be plugged in at one place after the other, and lie in a drawer between. */
export class Disk {
  readonly #image = path.join(fastFolder('bk-disk-'), 'image');
  #point: string | undefined;

  constructor() {
    must(['truncate', '-s', FORMATS.ext4.size, this.#image]);
    must([...FORMATS.ext4.format, this.#image]);
    atEnd(() => this.unplug());
  }

  plugInto(point: string): void {
    this.unplug();
    fs.mkdirSync(point, { recursive: true });
    must(['mount', '-o', 'loop', this.#image, point]);
    this.#point = point;
  }

  unplug(): void {
    if (this.#point !== undefined) unmount(this.#point);
    this.#point = undefined;
  }
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
 * A state of one or more file systems that can be brought back exactly, inodes and birth times included: small ext4
 * images in memory, copied and mounted for every round (about 10 ms each). Without root the state is made anew each
 * time, as folders of one file system.
 */
export class Template {
  /** Where its file systems lie, the same in every round. */
  readonly points: readonly string[];
  readonly #dir: string;
  readonly #make: (...points: string[]) => void;
  readonly #image: boolean;
  readonly #keepsJournal: boolean;
  #isMounted = false;

  /**
   * @param make fills empty folders, one a file system; called once, or at every `fresh` if nothing can be mounted here
   * @param keepsJournal file systems that can lose power (`losePower`); others are quicker
   */
  constructor(make: (...points: string[]) => void, volumes = 1, keepsJournal = false) {
    this.#keepsJournal = keepsJournal;
    this.#dir = fastFolder('bk-template-');
    this.points = Array.from({ length: volumes }, (_, i) =>
      path.join(this.#dir, i === 0 ? 'mnt' : `mnt${i}`),
    );
    this.#make = make;
    this.#image = hasVolumes();
    for (const point of this.points) fs.mkdirSync(point);
    atEnd(() => this.#clear());
    if (this.#image) this.#build();
  }

  /** Whether times and inodes come back, too, and each point is a volume of its own; else only what `make` writes. */
  get exact(): boolean {
    return this.#image;
  }

  /** @returns the first folder, as `make` left it; what an earlier round did there is gone */
  fresh(): string {
    this.#clear();
    if (this.#image) {
      for (const point of this.points)
        must(['cp', '--sparse=always', '--remove-destination', `${point}.template`, `${point}.image`]);
      this.#mount('image');
    } else {
      for (const point of this.points) fs.mkdirSync(point, { recursive: true });
      this.#make(...this.points);
    }
    return this.points[0] ?? '';
  }

  /** What a failing disk does, in the state that every round begins with: see editImage. */
  spoil(volume: number, was: Buffer, is: Buffer): void {
    const image = `${this.points[volume]}.template`;
    const bytes = fs.readFileSync(image);
    let times = 0;
    for (let at = bytes.indexOf(was); at >= 0; at = bytes.indexOf(was, at + was.length), times++)
      is.copy(bytes, at);
    if (times === 0 || was.length !== is.length) throw new Error('the image does not hold these bytes');
    fs.writeFileSync(image, bytes);
  }

  /** All its machines and disks lose power at once, and are started again: what was not made durable may be gone. */
  losePower(loss: PowerLoss): void {
    for (const point of this.points) stopFileSystem(point, loss);
    for (const point of this.points) unmount(point);
    this.#mount('image');
  }

  #build(): void {
    const { size, format } = this.#keepsJournal ? WITH_JOURNAL : FORMATS.ext4;
    for (const point of this.points) {
      must(['truncate', '-s', size, `${point}.template`]);
      must([...format, `${point}.template`]);
    }
    this.#mount('template');
    for (const point of this.points) fs.rmdirSync(path.join(point, 'lost+found'));
    this.#make(...this.points);
    this.#clear();
  }

  #mount(kind: 'template' | 'image'): void {
    this.#isMounted = true;
    const options = this.#keepsJournal ? 'loop,noauto_da_alloc' : 'loop';
    for (const point of this.points) must(['mount', '-o', options, `${point}.${kind}`, point]);
  }

  #clear(): void {
    for (const point of this.points) {
      if (this.#isMounted) unmount(point);
      else if (!this.#image) fs.rmSync(point, { recursive: true, force: true });
    }
    this.#isMounted = false;
  }
}

/** Whether a Template has file systems of its own here. */
export function hasVolumes(): boolean {
  return isRoot && canMount() && hasProgram('mkfs.ext4');
}

/** Skips the test, with the reason, where every folder would lie on one volume. */
export function needsVolumes(context: Pick<TestContext, 'skip'>): void {
  needsFileSystem(context, 'ext4');
}

import { BkError } from '@bk/core';
import { makeStaging, newTransactionId, removeStaging } from '@bk/store';
import {
  type Capabilities,
  mountPointsBelow,
  probeCapabilities,
  stableInodes,
  type Volume,
  type VolumeId,
  volumeOf,
} from '@bk/worktree';
import type { Context } from './context.ts';
import type { Repository } from './repository.ts';

/** `full`: any file; `small-files`: up to the size in config `safety.copyLimit`, by copies; `none`. */
export type ProtectionReach = 'full' | 'small-files' | 'none';

export interface DoctorResult {
  readonly fileSystem: string;
  /** What copies on this volume are counted by: the id of the file system, or the one that bk gave it. */
  readonly volume: string;
  readonly protection: {
    /** A file is deleted. */
    readonly deletion: ProtectionReach;
    /** A file is replaced by another (most programs save so). */
    readonly replacement: ProtectionReach;
    /** A program writes into the file itself. */
    readonly overwrite: ProtectionReach;
  };
  readonly checks: readonly DoctorCheck[];
}

export interface DoctorCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** Tries what the file system under the repository can do, and says what that protects. Leaves nothing behind. */
export function doctor(repo: Repository, _context: Context): DoctorResult {
  const { layout } = repo;
  const volume = volumeOf(layout.root);
  const found = probe(repo, volume);
  // probe has filled in what config knows of the volume.
  return {
    fileSystem: volume.type,
    volume: repo.config.volume?.id ?? volume.uuid ?? volume.device,
    protection: protectionOf(found),
    checks: [...(found === undefined ? [] : checksOf(found)), ...placeChecks(layout.root, volume)],
  };
}

/** Undefined: nothing can be written there. */
function probe(repo: Repository, volume: Volume): Capabilities | undefined {
  if (volume.readOnly) return undefined;
  const mine = !repo.locked;
  // Another bk that clears staging meanwhile would take the probe away: it waits, or this fails as locked.
  repo.beginWriting();
  const id = newTransactionId();
  try {
    return probeCapabilities(makeStaging(repo.layout, id), 'probe');
  } catch (error) {
    if (error instanceof BkError || (error as NodeJS.ErrnoException).code !== 'EROFS') throw error;
    return undefined;
  } finally {
    removeStaging(repo.layout, id);
    if (mine) repo.endWriting();
  }
}

/** What the safety net can do there: reflinks are independent of the file, links only of its name. */
export function protectionOf(
  found: Pick<Capabilities, 'hardLinks' | 'reflinks'> | undefined,
): DoctorResult['protection'] {
  if (found === undefined) return { deletion: 'none', replacement: 'none', overwrite: 'none' };
  const links = found.reflinks || found.hardLinks ? 'full' : 'small-files';
  const overwrite = found.reflinks ? 'full' : found.hardLinks ? 'none' : 'small-files';
  return { deletion: links, replacement: links, overwrite };
}

function checksOf(found: Capabilities): DoctorCheck[] {
  const check = (name: string, ok: boolean, good: string, bad: string): DoctorCheck => ({
    name,
    ok,
    detail: ok ? good : bad,
  });
  const step = found.timeStepNs;
  return [
    check(
      'reflinks',
      found.reflinks,
      'kept contents are independent of your files: in-place edits are protected too',
      found.hardLinks
        ? 'a program that writes into a file itself changes the kept content too'
        : 'not on this file system',
    ),
    check(
      'hard-links',
      found.hardLinks,
      'deleted and replaced files are kept at no cost',
      'only small files are kept, by copying them',
    ),
    check('symlinks', found.symlinks, 'symbolic links can be made', 'symbolic links cannot be made here'),
    check(
      'modes',
      found.modes,
      'permissions are kept',
      'permissions are not kept; they are not taken for changes',
    ),
    check(
      'times',
      step === 1n,
      'times are exact to the nanosecond',
      `times are kept in steps of ${stepText(step)}`,
    ),
    check(
      'letter-case',
      found.caseSensitive,
      'names that differ by case are two files',
      'names that differ by case are one file',
    ),
    check(
      'unicode',
      found.keepsUnicodeForms,
      'names keep their Unicode form',
      'the file system changes the Unicode form of names',
    ),
    check(
      'any-name',
      found.anyBytes,
      'names of any bytes can be made',
      'names that are not UTF-8 cannot be made here',
    ),
  ];
}

function placeChecks(root: string, volume: Volume): DoctorCheck[] {
  const mounts = mountPointsBelow(root);
  const stable = stableInodes(volume.type);
  return [
    {
      name: 'writable',
      ok: !volume.readOnly,
      detail: volume.readOnly ? 'mounted read-only' : 'can be written',
    },
    volumeCheck(volume),
    {
      name: 'inodes',
      ok: stable,
      detail: stable
        ? 'moved files are recognised without reading them'
        : 'inode numbers do not last: moved files are read again',
    },
    {
      name: 'one-volume',
      ok: mounts.length === 0,
      detail:
        mounts.length === 0
          ? 'nothing else is mounted below'
          : `${mounts.length} other file systems are mounted below; files there cannot be linked`,
    },
  ];
}

const FOUND: Readonly<Record<VolumeId['from'], string>> = {
  udev: 'by the links of udev',
  kernel: 'by asking the kernel',
  device: 'on the device itself',
};

function volumeCheck({ uuid, uuidFrom }: Volume): DoctorCheck {
  const detail =
    uuid === undefined || uuidFrom === undefined
      ? 'none was found; bk gave one: repositories made separately here count as two volumes'
      : `${uuid}, found ${FOUND[uuidFrom]}`;
  return { name: 'volume-id', ok: uuid !== undefined, detail };
}

function stepText(ns: bigint): string {
  if (ns >= 1_000_000_000n) return `${ns / 1_000_000_000n} s`;
  if (ns >= 1_000_000n) return `${ns / 1_000_000n} ms`;
  return ns >= 1_000n ? `${ns / 1_000n} µs` : `${ns} ns`;
}

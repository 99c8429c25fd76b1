import { createHash, randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import { layoutOf, type VolumeFacts } from '@bk/store';
import { stableInodes, subvolumeOf, type Volume, volumeOf } from '@bk/worktree';

/** Ids that bk gave to a volume without one of its own begin so; two such are never the same. */
const GIVEN = 'bk:';

/** A repository within reach, and the id that its volume goes by. */
export interface VolumeNeighbour {
  readonly root: string;
  readonly id: string;
}

/**
 * What the volume under a folder is known by, the same for all repositories on it: its own id, else the one that
 * `beside` gave it, if that lies on the same one, else a new one.
 */
export function volumeIdFor(root: string, beside?: VolumeNeighbour): string {
  return idOf(volumeOf(root), root, beside);
}

/** The id that two repositories on one volume without its own go by from now on; undefined: theirs can stay as they are. */
export function sharedVolumeId(a: VolumeNeighbour, b: VolumeNeighbour): string | undefined {
  if (a.id === b.id || !isGiven(a.id) || !isGiven(b.id) || !isOneDevice(a.root, b.root)) return undefined;
  return a.id < b.id ? a.id : b.id;
}

/** The facts that config keeps of a repository's volume; `.bk` must be there. */
export function volumeFacts(root: string, beside?: VolumeNeighbour): VolumeFacts {
  const volume = volumeOf(root);
  return { id: idOf(volume, root, beside), ...placeOf(volume, root) };
}

/**
 * Of a `.bk` that was copied here. An id that bk gave is kept where the volume has none: the copy may well lie on the
 * same one, and two copies that count as one do no harm.
 */
export function volumeFactsOfCopy(root: string, before: VolumeFacts | undefined): VolumeFacts {
  return volumeFacts(root, before !== undefined && isGiven(before.id) ? { root, id: before.id } : undefined);
}

/** Of a `.bk` that is where it was: a volume that had no id of its own, or none that could be found, may have one now. */
export function volumeFactsAgain(root: string, before: VolumeFacts): VolumeFacts {
  if (!isGiven(before.id)) return before;
  const { uuid } = volumeOf(root);
  return uuid === undefined ? before : { ...before, id: uuid };
}

/**
 * Whether a `.bk` with these facts is a copy of the one that they were written for. Where inodes last, the folder's own
 * says it (a copy cannot have the same birth time); elsewhere only the volume can, which takes longer to find out.
 * @param thorough look at the volume, and the subvolume, too
 */
export function isCopied(root: string, facts: VolumeFacts | undefined, thorough: boolean): boolean {
  if (facts === undefined) return false;
  if (facts.inode === undefined) return thorough && isElsewhere(volumeOf(root), facts);
  const { inode, birth } = inodeOf(root);
  if (inode !== facts.inode || differ(birth, facts.birth)) return true;
  return thorough && facts.subvolume !== undefined && differ(subvolumeOf(root), facts.subvolume);
}

/** An id that bk gave came along with the copy: it says nothing. */
function isElsewhere({ uuid }: Volume, facts: VolumeFacts): boolean {
  return !isGiven(facts.id) && differ(uuid, facts.id);
}

/** What is not known differs from nothing. */
function differ(now: string | undefined, before: string | undefined): boolean {
  return now !== undefined && before !== undefined && now !== before;
}

function idOf({ uuid }: Volume, root: string, beside: VolumeNeighbour | undefined): string {
  if (uuid !== undefined) return uuid;
  return beside !== undefined && isOneDevice(root, beside.root) ? beside.id : GIVEN + randomUUID();
}

/** Now, on this machine: device numbers say nothing once a disk is plugged in again. */
function isOneDevice(a: string, b: string): boolean {
  return fs.statSync(a).dev === fs.statSync(b).dev;
}

/**
 * What the device under a folder is called, the same for every process of this machine until it is started again; tells
 * nothing else of the machine.
 */
export function deviceNameOf(root: string): string {
  return createHash('sha256')
    .update(`${bootOf()} ${fs.statSync(root, { bigint: true }).dev}`)
    .digest('hex')
    .slice(0, 32);
}

/** Where the system does not tell machines apart by their start, names of machines do. */
function bootOf(): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return os.hostname();
  }
}

function isGiven(id: string): boolean {
  return id.startsWith(GIVEN);
}

function placeOf({ type }: Volume, root: string): Omit<VolumeFacts, 'id'> {
  if (!stableInodes(type)) return {};
  const subvolume = type === 'btrfs' ? subvolumeOf(root) : undefined;
  return { ...inodeOf(root), ...(subvolume !== undefined && { subvolume }) };
}

function inodeOf(root: string): Pick<VolumeFacts, 'birth'> & { readonly inode: string } {
  const { ino, birthtimeNs } = fs.lstatSync(layoutOf(root).dot, { bigint: true });
  return { inode: String(ino), ...(birthtimeNs > 0n && { birth: String(birthtimeNs) }) };
}

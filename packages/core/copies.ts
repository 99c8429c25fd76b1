import type { EntryType } from './entry.ts';
import type { RepoPath } from './path.ts';

/** One place where a content is, by the presence of a repository; SPEC 3, `where`. It says what was, it proves nothing now. */
export interface Holder {
  /** UUID. */
  readonly repository: string;
  readonly name: string;
  readonly volume: string;
  readonly path: RepoPath;
  /** When the presence was written, RFC 3339 in UTC. */
  readonly seen: string;
  /** When its bytes were last read and found right; absent: not since it came there. */
  readonly verified?: string;
}

/** The number of copies: one a volume, however many paths, links, reflinks and repositories there are on it (SPEC 5). */
export function copiesOf(holders: Iterable<Pick<Holder, 'volume'>>, except?: string): number {
  return volumesOf(holders, except).size;
}

/** The volumes that hold it, without `except`. */
export function volumesOf(holders: Iterable<Pick<Holder, 'volume'>>, except?: string): Set<string> {
  const volumes = new Set<string>();
  for (const { volume } of holders) if (volume !== '' && volume !== except) volumes.add(volume);
  return volumes;
}

/**
 * Whether the history itself holds all there is to it, and with it every repository: nothing (empty files, folders), or
 * a symlink's target. Such files need no copies.
 */
export function isHeldByHistory(file: { readonly type?: EntryType; readonly size?: number }): boolean {
  return file.type === 'symlink' || file.type === 'dir' || file.size === 0;
}

/** A tracked file with the places where its content is. */
export interface HeldFile {
  readonly path: RepoPath;
  /** Absent: a file. */
  readonly type?: EntryType;
  /** Bytes. */
  readonly size: number;
  readonly holders: Iterable<Pick<Holder, 'volume'>>;
}

export interface UnderCopied {
  readonly under: readonly { readonly path: RepoPath; readonly copies: number }[];
  /** Of all files that were asked about, and of those in `under`. */
  readonly summary: {
    readonly files: number;
    readonly bytes: number;
    readonly under: { readonly files: number; readonly bytes: number };
    /** Of those in `under`: no repository holds them. */
    readonly lost: number;
  };
}

/** Files with fewer than `min` copies, counted by volume, in the order they come. Symlinks and empty files never are. */
export function underCopied(files: Iterable<HeldFile>, min: number): UnderCopied {
  const under: { path: RepoPath; copies: number }[] = [];
  const total = { files: 0, bytes: 0 };
  const short = { files: 0, bytes: 0 };
  let lost = 0;
  for (const file of files) {
    total.files++;
    total.bytes += file.size;
    if (isHeldByHistory(file)) continue;
    const copies = copiesOf(file.holders);
    if (copies >= min) continue;
    under.push({ path: file.path, copies });
    short.files++;
    short.bytes += file.size;
    if (copies === 0) lost++;
  }
  return { under, summary: { ...total, under: short, lost } };
}

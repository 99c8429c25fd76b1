import {
  BkError,
  comparePaths,
  type EncodedName,
  editFromFacts,
  isNoEdit,
  itemsOf,
  type JsonObject,
  joinPath,
  nameOf,
  type PathProblem,
  parentOf,
  type RepoPath,
  type Step,
} from '@bk/core';
import { Incoming } from '@bk/store';
import {
  formatSidecar,
  hashBytes,
  isOwnSidecar,
  type SidecarFacts,
  saidInFile,
  saidInSidecar,
  sidecarText,
} from '@bk/worktree';
import type { Context } from './context.ts';
import { type HeadObject, headObjects } from './observe/head-objects.ts';
import { LiveTree } from './observe/live-tree.ts';
import type { Repository } from './repository.ts';
import { applyPlan } from './safety/transaction.ts';
import { commitAttributes, type ObjectEdit, type TagResult } from './tag.ts';

export interface TagXmpOptions {
  readonly paths: readonly RepoPath[];
  /** Of folders: the files in them. */
  readonly recursive?: boolean;
  readonly dryRun?: boolean;
}

export interface ExportResult {
  /** Sidecars that were written; under a dry run, would be. Like any new file they are not committed yet. */
  readonly exported: readonly { readonly path: RepoPath; readonly of: RepoPath }[];
  readonly refused: readonly PathProblem[];
}

const SIDECAR = /\.xmp$/i;
const PLAIN_FILE_MODE = 0o644;

/**
 * Writes what other programs have a place for into `NAME.EXT.xmp` beside each file. A sidecar that another program wrote
 * stays as it is; one of bk's that is replaced goes to the net. Files without such attributes get none.
 * @throws BkError `not-found`, `locked`, `no-space`, `io`
 */
export function exportXmp(repo: Repository, options: TagXmpOptions): ExportResult {
  const { paths, recursive = false, dryRun = false } = options;
  if (!dryRun) repo.beginWriting();
  const live = new LiveTree(repo.layout.root);
  const refused: PathProblem[] = [];
  const planned: Sidecar[] = [];
  try {
    for (const object of filesOf(repo, paths, recursive)) {
      const sidecar = sidecarOf(object, live);
      if (typeof sidecar === 'string') refused.push({ path: object.path, reason: sidecar });
      else if (sidecar?.isThere === false) planned.push(sidecar);
      else if (sidecar !== undefined && !dryRun) forgetStaged(repo, sidecar);
    }
  } finally {
    live.close();
  }
  const done = dryRun ? planned : place(repo, planned, refused);
  return {
    exported: done.map(({ path, of }) => ({ path, of })).sort((a, b) => comparePaths(a.path, b.path)),
    refused: refused.sort((a, b) => comparePaths(a.path, b.path)),
  };
}

interface Sidecar {
  readonly path: RepoPath;
  readonly of: RepoPath;
  readonly bytes: Buffer;
  /** It says just this already. */
  readonly isThere: boolean;
  readonly expect: Extract<Step, { do: 'place' }>['expect'];
}

/** Sidecars themselves are no files that one says something of. */
function filesOf(repo: Repository, paths: readonly RepoPath[], recursive: boolean): readonly HeadObject[] {
  const objects = headObjects(repo, paths, recursive);
  const folder = objects.find(({ isFolder }) => isFolder);
  if (folder !== undefined)
    throw new BkError('usage', `${folder.path || 'the root'} is a folder`, {
      path: folder.path,
      hint: 'with -r the files in it are meant',
    });
  return objects.filter(({ path, record }) => record?.type === 'file' && !SIDECAR.test(path));
}

/** Undefined: nothing is to be written; a text: why it cannot be. */
function sidecarOf({ path: of, record }: HeadObject, live: LiveTree): Sidecar | string | undefined {
  const text = formatSidecar(factsOf(record?.attrs ?? {}));
  if (text === undefined) return undefined;
  if (live.stat(of) === undefined) return 'it is not here';
  const path = beside(of);
  const there = live.stat(path);
  const bytes = Buffer.from(text);
  if (there === undefined) return { path, of, bytes, isThere: false, expect: { is: 'absent' } };
  const found = live.withFile(path, sidecarText);
  if (found === undefined || !isOwnSidecar(found))
    return `${nameOf(path)} is of another program: bk leaves it alone`;
  const { ino: inode, size, mtimeNs, ctimeNs } = there;
  const expect = { is: 'entry', inode, size: Number(size), mtimeNs, ctimeNs } as const;
  return { path, of, bytes, isThere: found === text, expect };
}

function beside(path: RepoPath): RepoPath {
  return joinPath(parentOf(path), `${nameOf(path)}.xmp` as EncodedName);
}

function factsOf(attrs: JsonObject): SidecarFacts {
  const { title, description, rating } = attrs;
  return {
    tags: itemsOf(attrs['tags']),
    people: itemsOf(attrs['people']),
    title: typeof title === 'string' ? title : undefined,
    description: typeof description === 'string' ? description : undefined,
    rating: typeof rating === 'number' ? rating : undefined,
  };
}

/** A run that was killed just after it had placed it may have left it there. */
function forgetStaged({ layout }: Repository, { bytes }: Sidecar): void {
  const incoming = new Incoming(layout);
  const blake3 = hashBytes(bytes);
  if (incoming.has(blake3)) incoming.remove(blake3);
}

/** Their time is that of the commit whose attributes they have, so that the same again is the same. */
function place(
  { layout, history, head }: Repository,
  sidecars: readonly Sidecar[],
  refused: PathProblem[],
): readonly Sidecar[] {
  if (sidecars.length === 0 || head === undefined) return [];
  const incoming = new Incoming(layout);
  const mtimeNs = BigInt(history.readCommit(head).committer.timeSec) * 1_000_000_000n;
  const steps = sidecars.map(({ path, bytes, expect }): Step => {
    const blake3 = hashBytes(bytes);
    const file = incoming.open(blake3, bytes.length);
    try {
      if (!file.whole) {
        file.cut(0);
        file.append(bytes);
        file.finish();
      }
    } finally {
      file.close(false);
    }
    const content = {
      source: `staging/incoming/${blake3}`,
      how: 'copy',
      blake3,
      size: bytes.length,
    } as const;
    return { do: 'place', path, expect, content, mode: PLAIN_FILE_MODE, mtimeNs };
  });
  incoming.settle();
  const { results, stopped } = applyPlan(layout, { verb: 'tag', steps });
  for (const { bytes } of sidecars) incoming.remove(hashBytes(bytes));
  if (stopped !== undefined) throw stopped;
  return sidecars.filter(({ of }, n) => {
    if (results[n]?.outcome === 'done') return true;
    refused.push({ path: of, reason: results[n]?.reason ?? 'the sidecar could not be written' });
    return false;
  });
}

/**
 * Takes what other programs said: of the file itself (XMP, IPTC, tags), then of its sidecars, whose title, description
 * and rating count more. Tags and people join those that are there.
 * @throws BkError `not-found`, `locked`, `io`
 */
export function importXmp(repo: Repository, options: TagXmpOptions, context: Context): TagResult {
  const { paths, recursive = false, dryRun = false } = options;
  if (!dryRun) repo.beginWriting();
  const live = new LiveTree(repo.layout.root);
  const edits: ObjectEdit[] = [];
  try {
    for (const object of filesOf(repo, paths, recursive)) {
      const edit = editFromFacts(saidOf(object.path, live));
      if (!isNoEdit(edit)) edits.push({ object, edit });
    }
  } finally {
    live.close();
  }
  return commitAttributes(repo, edits, { dryRun, what: 'Tag' }, context);
}

function saidOf(path: RepoPath, live: LiveTree): Parameters<typeof editFromFacts>[0] {
  const sidecars = sidecarNames(path).map((sidecar) => live.withFile(sidecar, saidInSidecar));
  const all = [live.withFile(path, saidInFile), ...sidecars].filter((one) => one !== undefined);
  const last = <K extends keyof SidecarFacts>(key: K): SidecarFacts[K] | undefined =>
    all.findLast((one) => one[key] !== undefined)?.[key];
  return {
    tags: all.flatMap(({ tags }) => tags),
    people: all.flatMap(({ people }) => people),
    rating: last('rating'),
    texts: { title: last('title'), description: last('description') },
  };
}

/** `boat.xmp` (Lightroom), then `boat.jpg.xmp` (digiKam, darktable, bk). */
function sidecarNames(path: RepoPath): RepoPath[] {
  const stem = /^(.+)\.[^.]+$/.exec(nameOf(path))?.[1];
  const names = [...(stem === undefined ? [] : [`${stem}.xmp`, `${stem}.XMP`]), `${nameOf(path)}.xmp`];
  return names.map((name) => joinPath(parentOf(path), name as EncodedName));
}

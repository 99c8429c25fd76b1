import fs from 'node:fs';
import path from 'node:path';
import { editSmallTree, replaceAtomically, smallTree } from '../../fixtures/small-tree.ts';
import { bk, repository } from './bk.ts';
import { head } from './history.ts';
import type { Template } from './mounts.ts';
import { type Allowed, type World, worldAt } from './oracle.ts';
import { contentsOf, snapshot } from './snapshot.ts';

/** A command under test, the state it starts from and what it may do. */
export interface Scenario {
  readonly name: string;
  /** How many file systems it needs; the first is that of the repository the command runs in. Default 1. */
  readonly volumes?: number;
  /** Fills empty folders, one a file system, with `repo` and `canary` (a clone's destination has no `repo` yet). */
  readonly make: (...points: string[]) => void;
  /** Spoils the template behind the file system's back. */
  readonly spoil?: (template: Template) => void;
  /** Arguments; run as `bk -C repo …`, with `@1` for the root of the first other repository. */
  readonly command: readonly string[];
  /** Asked after the command, since what may be gone depends on how far it came. Absent: what an undisturbed run does. */
  readonly allowed?: (world: World) => Allowed;
  /** Exit code of an undisturbed run, default 0, and those of one with a failing call, default 0, 1 and 4. */
  readonly code?: number;
  readonly failing?: readonly number[];
  /** Exit codes of the same command after a disturbed one, if that may have been done to the end; default `code`. */
  readonly again?: readonly number[];
  /** It has one outcome to the bit, ids and times included: the heads are compared, too. */
  readonly exact?: true;
  /** Another command than the same one to end with (init: a commit shows whether the repository is whole). */
  readonly finish?: readonly string[];
}

/** A tree, and beside it a folder that nobody may touch; a link in the tree leads there. */
export function plainWorld(point: string): string {
  const { root } = worldAt(point);
  smallTree(root);
  neighbourAt(point);
  fs.symlinkSync('../canary', path.join(root, 'way-out'));
  return root;
}

export function neighbourAt(point: string): void {
  const { canary } = worldAt(point);
  fs.mkdirSync(canary);
  fs.writeFileSync(path.join(canary, 'precious'), 'not yours\n');
}

function committed(point: string): string {
  const root = plainWorld(point);
  repository(root);
  return root;
}

/** What editSmallTree deletes. */
const DELETED = ['music/album/00 track.flac', 'top.bin'];

function edited(point: string): void {
  editSmallTree(committed(point));
}

/** Two commits; what the second one deleted was kept, what it replaced is an earlier version. */
function withDeletions(point: string): void {
  edited(point);
  bk(['-C', worldAt(point).root, 'commit', '-m', 'second', '--keep-deletions']);
}

/** The contents of paths that are in the net only: by the records of the commit before. */
function contentBefore(world: World, file: string): string[] {
  const held = [...world.contents].filter((hash) => !contentsOf(world.tree).has(hash));
  if (held.length === 0) throw new Error(`the net holds no earlier content of ${file}`);
  return held;
}

export const COMMIT_CONFIRMED: Scenario = {
  name: 'commit after a move, edits and confirmed deletions',
  make: edited,
  command: ['commit', '-m', 'second', '--confirm-deletions'],
  allowed: (world) => {
    const reached = head(world.root, 'refs/heads/main~1') !== null;
    const here = contentsOf(snapshot(world.root));
    return reached ? { released: new Set([...world.contents].filter((hash) => !here.has(hash))) } : {};
  },
};

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'init',
    make: (point) => void plainWorld(point),
    command: ['init', '.'],
    allowed: () => ({}),
    finish: ['commit', '-m', 'first'],
  },
  {
    name: 'first commit',
    make: (point) => void bk(['init', plainWorld(point)]),
    command: ['commit', '-m', 'first'],
    allowed: () => ({}),
  },
  {
    name: 'commit after a move, edits and kept deletions',
    make: edited,
    command: ['commit', '-m', 'second', '--keep-deletions'],
    allowed: () => ({}),
  },
  COMMIT_CONFIRMED,
  {
    name: 'commit after an atomic save',
    make: (point) => replaceAtomically(path.join(committed(point), 'notes/letter.txt'), 'a new version\n'),
    command: ['commit', '-m', 'saved'],
    allowed: () => ({}),
  },
  {
    name: 'recover',
    make: withDeletions,
    command: ['recover', '--all'],
    allowed: (world) => ({ changes: new Map(DELETED.map((file) => [file, contentBefore(world, file)])) }),
  },
  {
    name: 'restore',
    make: (point) => {
      withDeletions(point);
      replaceAtomically(path.join(worldAt(point).root, 'notes/todo.txt'), 'never committed\n');
    },
    command: ['restore', 'notes/todo.txt', '--at', 'HEAD~1'],
    allowed: (world) => ({ changes: new Map([['notes/todo.txt', contentBefore(world, 'notes/todo.txt')]]) }),
  },
  { name: 'reindex', make: withDeletions, command: ['reindex'], allowed: () => ({}) },
  {
    name: 'tag of files and a folder',
    make: (point) => void committed(point),
    command: ['tag', 'notes', 'notes/todo.txt', 'notes/letter.txt', '--add', 'aunt'],
    allowed: () => ({}),
  },
  {
    name: 'tag --export-xmp over an earlier sidecar',
    make: (point) => {
      const root = committed(point);
      for (const word of ['first', 'second']) {
        bk(['-C', root, 'tag', 'top.bin', '--add', word]);
        if (word === 'first') bk(['-C', root, 'tag', 'top.bin', '--export-xmp']);
      }
      bk(['-C', root, 'commit', '-m', 'sidecar']);
    },
    command: ['tag', 'top.bin', 'notes/todo.txt', '--export-xmp'],
  },
];

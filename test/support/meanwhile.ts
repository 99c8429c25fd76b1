import fs from 'node:fs';
import path from 'node:path';
import { bk, run } from './bk.ts';
import { records } from './history.ts';
import { checkProblems, deletedBy, leftovers, netContents, unexplained } from './oracle.ts';
import { named, type Stage } from './rounds.ts';
import { contentsOf, hashOf, type SnapshotEntry, show, snapshot } from './snapshot.ts';
import { fastFolder } from './temporary.ts';

type Call = readonly [
  call: string,
  ...given: readonly (string | number | Readonly<Record<string, unknown>>)[],
];

/**
 * What a person does in the folder while a command works in it (C10 to C12): between two calls of the command, so that
 * every round is the same.
 */
export interface Edit {
  readonly name: string;
  /**
   * Calls of fs, with paths from the root that begin with `./`. The first list whose first call can be done is done:
   * the file may have another name by then.
   */
  readonly ways: readonly (readonly Call[])[];
  /** Contents that the person made: each must lie in the folder afterwards. */
  readonly made?: readonly string[];
  /** Writes over a file in place, where no net can help. */
  readonly inPlace?: true;
  /** Folders or files that the person deleted, with all below. */
  readonly deleted?: readonly string[];
}

/** Runs the command of a stage with that edit before call n. @returns what is wrong then; undefined: nothing could be edited */
export function meanwhile(stage: Stage, n: number, edit: Edit): string[] | undefined {
  const { root } = stage.reset();
  const before = snapshot(root);
  const known = records(root);
  const mark = path.join(fastFolder('bk-edit-'), 'done');
  const ways = edit.ways.map((calls) => calls.map((call) => call.map((word) => placed(root, word))));
  const done = stage.again({ EDIT_AT: String(n), EDIT: JSON.stringify(ways), EDIT_DONE: mark });
  if (!fs.existsSync(mark)) return undefined;
  const held = hashOf(fs.readFileSync(mark));
  const isMeant = (at: string): boolean => isDeleted(at, edit);
  const meant = [...known, ...stage.recorded].filter(([at]) => isMeant(at));
  const kept = [...before].filter(([, { blake3 }]) => edit.inPlace !== true || blake3 !== held);
  const outcome = [...stage.outcome].filter(([at, { blake3 }]) => !isMeant(at) && blake3 !== held);
  const found = [
    ...unexplained(done, [0, 1, 3, 4]),
    ...stage.losses().filter((what) => what.startsWith('O2')),
    ...lost(root, kept, edit),
    ...afterwards(stage, new Set(meant.map(([, { record }]) => record.id))),
    ...lost(root, kept, edit),
    ...notBroughtTogether(stage.roots, outcome),
  ];
  return named(stage, n, found, `${edit.name} (exit ${done.code})`);
}

function placed<T>(root: string, word: T): T | string {
  return typeof word === 'string' && word.startsWith('./') ? path.join(root, word) : word;
}

function isDeleted(at: string, { deleted = [] }: Edit): boolean {
  return deleted.some((path) => at === path || at.startsWith(`${path}/`));
}

type Entries = Iterable<readonly [at: string, SnapshotEntry]>;

/** O1: what the person made is in a file; what was there before in a file or in the net. */
function lost(root: string, before: Entries, { made = [] }: Edit): string[] {
  const here = contentsOf(snapshot(root));
  const net = netContents(root);
  const wrong = made
    .filter((text) => !here.has(hashOf(Buffer.from(text))))
    .map((text) => `O1: ${JSON.stringify(text)}, just written, is in no file`);
  for (const [at, { type, blake3 }] of before) {
    if (type === 'file' && !here.has(blake3) && !net.has(blake3))
      wrong.push(`O1: the content of ${show(at)} is in no file and not in the net`);
  }
  return wrong;
}

/** The other side merges what became of it: what both sides had, and nobody deleted or saw and replaced, is in files. */
function notBroughtTogether([root = '', other = '']: readonly string[], outcome: Entries): string[] {
  const done = run(['-C', other, 'merge', 'origin']);
  const here = new Set([root, other].flatMap((each) => [...contentsOf(snapshot(each))]));
  const wrong = unexplained(done, [0, 1]).map((what) => `then there, merge: ${what}`);
  for (const [at, { type, blake3 }] of outcome) {
    if (type === 'file' && !here.has(blake3))
      wrong.push(`O1: the content of ${show(at)} is in no file on either side`);
  }
  return wrong;
}

/**
 * The person looks, commits, and gives the same command again: no object of either side is gone from the head that the
 * person did not delete, and nothing is left behind.
 */
function afterwards(stage: Stage, meant: ReadonlySet<string>): string[] {
  const { root } = stage;
  const found: string[] = [];
  const step = (...args: readonly string[]): void => {
    const done = run(['-C', root, ...args]);
    found.push(...unexplained(done, [0, 1]).map((what) => `next, ${args[0]}: ${what}`));
  };
  step('status');
  step('commit', '-m', 'meanwhile', '--keep-deletions');
  step(...stage.scenario.command);
  step('commit', '-m', 'the rest', '--keep-deletions');
  const ids = new Set(
    [...records(root).values()].flatMap(({ record }) => [record.id, ...((record['was'] ?? []) as string[])]),
  );
  for (const [at, { record }] of stage.recorded) {
    if (record.type !== 'dir' && !ids.has(record.id) && !meant.has(record.id))
      found.push(`O1: ${show(at)} is deleted from the head, and nobody did that`);
  }
  const left = deletedBy(bk(['-C', root, 'status']));
  found.push(...left.map((at) => `O8: ${show(at)} is still deleted`));
  return [...found, ...leftovers(root), ...checkProblems(root)];
}

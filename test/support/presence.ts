import fs from 'node:fs';
import path from 'node:path';
import { git, head, type RecordAt, records } from './history.ts';
import { show, snapshot } from './snapshot.ts';

/** What a repository knows of one repository's presence (SPEC 2.1), read with git and no code of bk's. */
export interface PresenceSeen {
  readonly id: string;
  readonly facts: Readonly<Record<string, unknown>>;
  /** By the byte strings of their paths; a folder's own record with a `/` behind. */
  readonly present: ReadonlyMap<string, RecordAt>;
}

const REFS = 'refs/bk/repositories/';

/** @throws if one is not a chain of commits with these two names in its tree, or if its `repository.json` is no JSON */
export function presencesSeen(root: string): PresenceSeen[] {
  const refs = git(root, ['for-each-ref', '--format=%(refname) %(tree)', REFS])
    .toString()
    .split('\n')
    .filter(Boolean);
  const merges = git(root, ['rev-list', '--min-parents=2', `--glob=${REFS}*`]).toString();
  if (merges !== '') throw new Error(`a presence is no linear chain, there are merges: ${merges}`);
  return refs.map((line) => {
    const [ref = '', tree = ''] = line.split(' ');
    const known = seenTrees.get(tree) ?? presenceIn(root, tree);
    seenTrees.set(tree, known);
    return { id: ref.slice(REFS.length), ...known };
  });
}

/** By the names of their trees, which say all that is in them: the same ones are met in every round. */
const seenTrees = new Map<string, Omit<PresenceSeen, 'id'>>();

function presenceIn(root: string, tree: string): Omit<PresenceSeen, 'id'> {
  const names = git(root, ['ls-tree', '--name-only', tree]).toString().split('\n').filter(Boolean);
  if (names.some((name) => !['present', 'repository.json'].includes(name)))
    throw new Error(`a presence holds ${names.join()}`);
  const facts = JSON.parse(git(root, ['cat-file', 'blob', `${tree}:repository.json`]).toString());
  const present = names.includes('present') ? records(root, `${tree}:present`) : new Map();
  return { facts, present };
}

export function idOf(root: string): string | undefined {
  return configOf(root)?.['id'] as string | undefined;
}

export function configOf(root: string): Record<string, unknown> | undefined {
  const file = path.join(root, '.bk/config.json');
  return fs.existsSync(file)
    ? (JSON.parse(fs.readFileSync(file, 'utf8')) as Record<string, unknown>)
    : undefined;
}

/**
 * O6 of a settled repository without uncommitted changes: every presence can be read and speaks for its own id, and its
 * own is the head's records of exactly what is on this disk. @returns what is wrong
 */
export function wrongPresence(root: string): string[] {
  if (head(root) === null) return [];
  let seen: PresenceSeen[];
  try {
    seen = presencesSeen(root);
  } catch (error) {
    return [`O6: a presence cannot be read: ${String(error).slice(0, 300)}`];
  }
  const strangers = seen.filter(({ id, facts }) => facts['id'] !== id || facts['v'] !== 1);
  const own = seen.find(({ id }) => id === idOf(root));
  return [
    ...strangers.map(({ id }) => `O6: the presence of ${id} does not speak for it`),
    ...(own === undefined ? ['O6: it has no presence of its own'] : otherThanHere(root, own)),
  ];
}

function otherThanHere(root: string, own: PresenceSeen): string[] {
  const found: string[] = [];
  const tree = snapshot(root);
  const recorded = records(root);
  for (const [at, { blob, record }] of recorded) {
    const isOther = tree.has(at) && tree.get(at)?.blake3 !== record.blake3;
    // A file in the way of an absent one is somebody's, and says nothing.
    if (at.endsWith('/') || isOther) continue;
    const said = own.present.get(at);
    if (tree.has(at) && said?.blob !== blob)
      found.push(`O6: ${show(at)} is here, its presence does not say so`);
    if (!tree.has(at) && said !== undefined) found.push(`O6: ${show(at)} is not here, its presence says so`);
  }
  for (const at of own.present.keys())
    if (!recorded.has(at)) found.push(`O6: ${show(at)} is in the presence and not in the head`);
  return found;
}

import { expect } from 'vitest';
import type { RecordAt } from '../compare.ts';
import { EMPTY_CONTENT } from '../evidence.ts';
import { foldersAbove } from '../folder-change.ts';
import type { ContentHash, ObjectId } from '../ids.ts';
import { isInside, parentOf, type RepoPath } from '../path.ts';
import type { Rec } from '../record.ts';
import type { Layout } from './layout.ts';

/**
 * A tree as `path: content`; '' is an empty file, `->x` a link, `x#id` an object with an id of its own. A path with `/` at
 * its end is a folder's record: `mode`, `tagged`, `album` (an entity) or `atomic`.
 */
export type Tree = Readonly<Record<string, string>>;

/** Ids are the path after `side`, so the ids of side `a` are older than those of side `b`. */
export function treeOf(tree: Tree, side: string): RecordAt[] {
  return Object.entries(tree).map(([path, text]) => {
    const [content = '', id = `${side}:${path}`] = text.split('#');
    if (path.endsWith('/')) return { path: path.slice(0, -1) as RepoPath, record: folder(content, id) };
    const record: Rec = {
      v: 1,
      id: id as ObjectId,
      type: content.startsWith('->') ? 'symlink' : 'file',
      blake3: content === '' ? EMPTY_CONTENT : (content as ContentHash),
      size: content.length,
      mtime: '2020-01-01T00:00:00.000000000Z',
      mode: '0644',
    };
    return { path: path as RepoPath, record };
  });
}

function folder(kind: string, id: string): Rec {
  const plain: Rec = { v: 1, id: id as ObjectId, type: 'dir', mode: '0700' };
  if (kind === 'tagged') return { ...plain, attrs: { tags: ['x'] } };
  if (kind === 'album') return { ...plain, entity: 'album' };
  return kind === 'atomic' ? { ...plain, entity: 'project', attrs: { atomic: true } } : plain;
}

/** The other tree after the layout; fails if it is not all that layoutMoves promises. */
export function applied(
  chosen: readonly RecordAt[],
  other: readonly RecordAt[],
  layout: Layout,
): Map<string, RecordAt> {
  const targets = new Map(layout.moves.map(({ from, to }) => [from, to]));
  const emptied = new Set(layout.emptied);
  expect(targets.size).toBe(layout.moves.length);
  const after = new Map<string, RecordAt>();
  for (const entry of other) {
    if (emptied.has(entry.path)) continue;
    const to = targets.get(entry.path) ?? entry.path;
    expect(after.has(to), `two at ${to}`).toBe(false);
    after.set(to, entry);
    targets.delete(entry.path);
  }
  expect([...targets.keys()], 'moves of nothing').toEqual([]);
  expectTree(after);
  const folders = foldersAbove([...after.keys()] as RepoPath[]);
  for (const { path, record } of other) {
    if (!emptied.has(path)) continue;
    expect(Object.keys(record).sort()).toEqual(['id', 'mode', 'type', 'v']);
    expect(folders.has(path), `${path} is still there`).toBe(false);
  }
  expectHarmless(chosen, layout, new Map(other.map((entry) => [entry.path, entry])));
  return after;
}

function expectTree(after: ReadonlyMap<string, RecordAt>): void {
  for (const path of after.keys())
    for (let above = parentOf(path as RepoPath); above !== ''; above = parentOf(above)) {
      const there = after.get(above);
      expect(there === undefined || there.record.type === 'dir', `${path} below a file`).toBe(true);
    }
}

/** What moved is at its new path the same as in the chosen tree, or alone. */
function expectHarmless(
  chosen: readonly RecordAt[],
  { moves }: Layout,
  other: ReadonlyMap<RepoPath, RecordAt>,
): void {
  const kept = new Map(chosen.map((entry) => [entry.path, entry]));
  const folders = foldersAbove(kept.keys());
  for (const { from, to, unified } of moves) {
    const { record } = other.get(from)!;
    const twin = kept.get(to);
    if (twin !== undefined) expect(twin.record.type, to).toBe(record.type);
    if (record.type !== 'dir') expect(folders.has(to), `a file in place of a folder: ${to}`).toBe(false);
    if (twin !== undefined && record.type !== 'dir') expect(twin.record.blake3, to).toBe(record.blake3);
    for (let above = parentOf(to); above !== ''; above = parentOf(above))
      expect(kept.get(above)?.record.type ?? 'dir', `${to} below a file`).toBe('dir');
    if (unified === undefined) continue;
    const ids = [record.id, twin!.record.id].sort();
    expect([unified.stays, unified.was]).toEqual(ids);
  }
}

/** Everything in each of these folders of the other tree is still together, in the same places. */
export function expectWhole(roots: readonly string[], after: ReadonlyMap<string, RecordAt>): void {
  for (const root of roots) {
    const places = new Set<string>();
    for (const [to, { path }] of after) {
      if (!isInside(path, root as RepoPath)) continue;
      const rest = path.slice(root.length);
      expect(to.endsWith(rest)).toBe(true);
      places.add(to.slice(0, to.length - rest.length));
    }
    expect(places.size, `${root} was split`).toBe(1);
  }
}

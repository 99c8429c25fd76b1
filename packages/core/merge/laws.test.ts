import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeHash } from '../disk.fixture.ts';
import { compareNames, parentOf, type RepoPath } from '../path.ts';
import type { Rec } from '../record.ts';
import type { Merged, MergeEntry, MergeInput, Version } from './input.ts';
import { mergeTrees } from './merge.ts';
import { entryOf, factsOf, inputOf, mergeSwapped, mergeWhole, type Tree, withBlob } from './tree.fixture.ts';

type Trees = readonly [Tree, Tree, Tree];

const NAMES = ['a', 'b', 'c', 'B', 'd', '%2Egit'];
const path = fc
  .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 })
  .map((names) => names.join('/') as RepoPath);
const content = fc.constantFrom('1', '2', '3', '4');
const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), path, content, time: fc.nat(3) }),
  fc.record({ do: fc.constant('edit' as const), at: fc.nat(30), content, time: fc.nat(3) }),
  fc.record({ do: fc.constant('delete' as const), at: fc.nat(30) }),
  fc.record({ do: fc.constant('move' as const), at: fc.nat(30), path }),
  fc.record({ do: fc.constant('moveFolder' as const), at: fc.nat(30), path }),
  fc.record({ do: fc.constant('swapFolders' as const), at: fc.nat(30), other: fc.nat(30) }),
  fc.record({ do: fc.constant('mode' as const), at: fc.nat(30), mode: fc.constantFrom('0600', '0755') }),
  fc.record({ do: fc.constant('tag' as const), at: fc.nat(30), tag: fc.constantFrom('x', 'y') }),
  fc.record({ do: fc.constant('touch' as const), at: fc.nat(30), time: fc.nat(9) }),
  fc.record({ do: fc.constant('link' as const), at: fc.nat(30), content }),
  fc.record({ do: fc.constant('twin' as const), at: fc.nat(30), path }),
  fc.record({ do: fc.constant('unify' as const), at: fc.nat(30), other: fc.nat(30) }),
  fc.record({ do: fc.constant('entity' as const), at: fc.nat(30) }),
  fc.record({ do: fc.constant('folder' as const), path, mode: fc.constantFrom('0700', '0755') }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const steps = (most: number): fc.Arbitrary<Step[]> => fc.array(step, { maxLength: most });
const trees = fc
  .record({ base: steps(10), first: steps(6), second: steps(6) })
  .map(({ base, first, second }): Trees => {
    const tree = applySteps(new Map(), base, 'o');
    return [tree, applySteps(tree, first, 'p'), applySteps(tree, second, 'q')];
  });

function applySteps(tree: Tree, all: readonly Step[], prefix: string): Tree {
  const result = new Map(tree);
  all.forEach((one, i) => {
    applyStep(result, one, `${prefix}${i}`);
  });
  return result;
}

function applyStep(tree: Map<RepoPath, MergeEntry>, one: Step, id: string): void {
  const files = [...tree.values()].filter(({ record }) => record.type !== 'dir');
  const folders = [...new Set(files.map((file) => parentOf(file.path)).filter((folder) => folder !== ''))];
  const file = 'at' in one && files.length > 0 ? files[one.at % files.length] : undefined;
  const change = (fields: Partial<Rec>): void => {
    if (file !== undefined) put(tree, file.path, { ...file.record, ...fields });
  };
  const mtimeOf = (time: number): string => entryOf('x', `x x t=${time}`).record.mtime as string;
  switch (one.do) {
    case 'add':
      put(tree, one.path, entryOf('x', `${id} ${one.content} t=${one.time}`).record);
      return;
    case 'edit':
      change({
        ...(file?.record.type === 'symlink' ? { target: one.content } : {}),
        blake3: fakeHash(one.content),
        size: 1,
        mtime: mtimeOf(one.time),
      });
      return;
    case 'delete':
      if (file !== undefined) tree.delete(file.path);
      return;
    case 'move':
      if (file !== undefined) relocate(tree, new Map([[file.path, one.path]]));
      return;
    case 'moveFolder': {
      const folder = folders[one.at % folders.length];
      if (folder !== undefined) relocate(tree, new Map([[folder, one.path]]));
      return;
    }
    case 'swapFolders': {
      const [a, b] = [folders[one.at % folders.length], folders[one.other % folders.length]];
      if (a !== undefined && b !== undefined) relocate(tree, new Map([[a, b], [b, a]])); // biome-ignore format: short
      return;
    }
    case 'mode':
      change({ mode: one.mode });
      return;
    case 'tag':
      change({ attrs: { tags: [one.tag] } });
      return;
    case 'touch':
      change({ mtime: mtimeOf(one.time) });
      return;
    case 'link':
      if (file !== undefined)
        put(tree, file.path, { ...entryOf('x', `x ${one.content} link=`).record, id: file.record.id });
      return;
    case 'twin': // A bad history: one id at two paths.
      if (file !== undefined) put(tree, one.path, file.record);
      return;
    case 'unify': {
      const other = files[one.other % files.length];
      if (file === undefined || other === undefined || other === file) return;
      if (other.record.id <= file.record.id || other.record.blake3 !== file.record.blake3) return;
      tree.delete(other.path);
      const was = new Set([...(file.record.was ?? []), ...(other.record.was ?? []), other.record.id]);
      change({ was: [...was].sort() });
      return;
    }
    case 'entity': {
      const folder = folders[one.at % folders.length];
      const { record } = entryOf('x/', `${id} entity=film atomic=`);
      if (folder !== undefined && !tree.has(folder)) put(tree, folder, record);
      return;
    }
    case 'folder':
      put(tree, one.path, entryOf('x/', `${id} m=${one.mode}`).record);
      return;
  }
}

/** Only where nothing is in the way: no file is above it, and no other entry at it. */
function put(tree: Map<RepoPath, MergeEntry>, at: RepoPath, record: Rec): boolean {
  if (!fits(tree, at, record)) return false;
  tree.set(at, withBlob(at, record));
  return true;
}

function fits(tree: Tree, at: RepoPath, record: Rec): boolean {
  for (let above = parentOf(at); above !== ''; above = parentOf(above)) {
    const there = tree.get(above);
    if (there !== undefined && there.record.type !== 'dir') return false;
  }
  const there = tree.get(at);
  if (there !== undefined && (there.record.type === 'dir') !== (record.type === 'dir')) return false;
  if (there !== undefined && there.record.id !== record.id && record.type !== 'dir') return false;
  return record.type === 'dir' || ![...tree.keys()].some((other) => other.startsWith(`${at}/`));
}

function relocate(tree: Map<RepoPath, MergeEntry>, moves: ReadonlyMap<RepoPath, RepoPath>): void {
  const next = new Map<RepoPath, MergeEntry>();
  const moved: [RepoPath, Rec][] = [];
  for (const [at, { record }] of tree) {
    const from = [...moves.keys()].find((folder) => at === folder || at.startsWith(`${folder}/`));
    const to = from === undefined ? at : ((moves.get(from) + at.slice(from.length)) as RepoPath);
    if (from === undefined) next.set(at, withBlob(at, record));
    else moved.push([to, record]);
  }
  for (const [to, record] of moved) if (!put(next, to, record)) return;
  tree.clear();
  for (const [at, entry] of next) tree.set(at, entry);
}

const RUNS = { numRuns: 1000 };

function recordsIn(tree: Tree): Record<string, Rec> {
  return Object.fromEntries(
    [...tree].sort(([a], [b]) => compareNames(a, b)).map(([at, { record }]) => [at, record]),
  );
}

describe('laws of the merge', () => {
  test('it is the same whichever side is called first', () => {
    fc.assert(
      fc.property(trees, (three) => {
        expect(mergeSwapped(three).merged).toEqual(mergeWhole(three).merged);
      }),
      RUNS,
    );
  });

  test('a side against itself, or against the base, is that side', () => {
    fc.assert(
      fc.property(trees, ([base, first]) => {
        for (const outcome of [mergeWhole([base, first, first]), mergeWhole([base, base, first])]) {
          expect(recordsIn(outcome.tree)).toEqual(recordsIn(first));
          expect(outcome.merged.conflicts).toEqual([]);
        }
      }),
      RUNS,
    );
  });

  test('every path is that of one thing, and in order', () => {
    fc.assert(
      fc.property(trees, (three) => {
        const { merged, tree } = mergeWhole(three);
        const paths = merged.entries.map((entry) => entry.path);
        expect(paths).toEqual([...new Set(paths)].sort(compareNames));
        for (const [at, { record }] of tree) {
          if (record.type === 'dir') continue;
          expect([...tree.keys()].filter((other) => other.startsWith(`${at}/`))).toEqual([]);
        }
      }),
      RUNS,
    );
  });

  test('a content goes only where its object was deleted or edited', () => {
    fc.assert(
      fc.property(trees, (three) => {
        const { tree } = mergeWhole(three);
        const contents = new Set<string | undefined>([...tree.values()].map(({ record }) => record.blake3));
        const lost = missingContents(three).filter((hash) => hash !== undefined && !contents.has(hash));
        expect(lost).toEqual([]);
      }),
      RUNS,
    );
  });

  test('no object goes but what a side deleted', () => {
    fc.assert(
      fc.property(trees, (three) => {
        const { tree, merged } = mergeWhole(three);
        // What is kept twice is a new object, and the one it was goes where the version that stays has it.
        fc.pre(!merged.conflicts.some(({ kind }) => kind === 'atomic'));
        const [base, first, second] = three.map(filesById) as [Files, Files, Files];
        const known = filesById(tree);
        const twice = new Set(three.flatMap(idsTwice));
        const gone = [...first, ...second].filter(([id, record]) => {
          if (id !== record.id || known.has(id) || twice.has(id)) return false;
          return !base.has(id) || (first.get(id)?.id === id && second.get(id)?.id === id);
        });
        expect(gone).toEqual([]);
      }),
      RUNS,
    );
  });

  test('it does not depend on what was left out, nor on the order of what was listed', () => {
    fc.assert(
      fc.property(trees, fc.infiniteStream(fc.nat()), (three, chance) => {
        const facts = factsOf(three, versions);
        const pruned = mergeTrees(inputOf(three), facts);
        const everything: MergeInput = {
          base: [...three[0].values()],
          sides: [[...three[1].values()], [...three[2].values()]],
        };
        const shuffled = (entries: readonly MergeEntry[]): MergeEntry[] =>
          entries
            .map((entry) => ({ entry, key: chance.next().value }))
            .sort((a, b) => a.key - b.key)
            .map(({ entry }) => entry);
        const whole = mergeTrees(
          {
            base: shuffled(everything.base),
            sides: [shuffled(everything.sides[0]), shuffled(everything.sides[1])],
          },
          facts,
        );
        expect(applied(three[0], everything, whole)).toEqual(applied(three[0], inputOf(three), pruned));
        expect(whole.conflicts).toEqual(pruned.conflicts);
        const paths = whole.entries.map((entry) => entry.path);
        expect(paths).toEqual([...new Set(paths)].sort(compareNames));
      }),
      RUNS,
    );
  });
});

const versions = (side: 0 | 1): Version => ({
  timeSec: 1,
  commit: String(side).repeat(40) as Version['commit'],
  repository: `r${side}`,
});

function applied(base: Tree, input: MergeInput, merged: Merged): Record<string, Rec> {
  const tree = new Map(base);
  for (const entries of [input.base, ...input.sides]) for (const { path: at } of entries) tree.delete(at);
  for (const { path: at, record } of merged.entries) tree.set(at, withBlob(at, record));
  return recordsIn(tree);
}

/** Contents of the sides that must live on: not superseded by the other side, not deleted there. */
function missingContents([base, first, second]: Trees): (string | undefined)[] {
  const byId = (tree: Tree): Map<string, Rec> =>
    new Map([...tree.values()].map(({ record }) => [record.id, record]));
  const [old, left, right] = [byId(base), byId(first), byId(second)];
  const twice = new Set([base, first, second].flatMap(idsTwice));
  const of = (mine: Map<string, Rec>, other: Map<string, Rec>): (string | undefined)[] =>
    [...mine].flatMap(([id, { blake3 }]) => {
      const isChanged = old.get(id)?.blake3 !== blake3;
      return !twice.has(id) && (isChanged || other.get(id)?.blake3 === blake3) ? [blake3] : [];
    });
  return [...of(left, right), ...of(right, left)];
}

function idsTwice(tree: Tree): string[] {
  const ids = [...tree.values()].map(({ record }) => record.id);
  return ids.filter((id, i) => ids.indexOf(id) !== i);
}

type Files = ReadonlyMap<string, Rec>;

/** By every id that it has or had. */
function filesById(tree: Tree): Files {
  const files = [...tree.values()].filter(({ record }) => record.type !== 'dir');
  return new Map(
    files.flatMap(({ record }) => [record.id, ...(record.was ?? [])].map((id) => [id, record] as const)),
  );
}

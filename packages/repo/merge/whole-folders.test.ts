import type { GitId, Rec } from '@bk/core';
import { Overlay } from '@bk/store';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { file, newPast } from '../past.fixture.ts';
import { join } from './join.ts';
import { WholeFolders } from './whole-folders.ts';

type Records = Readonly<Record<string, Rec>>;

const folders = ['a/', 'a/b/', 'a/b/c/', 'd/', 'd/e/', 'f/'] as const;

/** A tree of files in some folders. */
const trees = fc
  .array(fc.tuple(fc.constantFrom('', ...folders), fc.nat(2)), { minLength: 3, maxLength: 14 })
  .map(
    (list): Records => Object.fromEntries(list.map(([folder, n], i) => [`${folder}x${n}`, file(i)] as const)),
  );

const step = fc.tuple(
  fc.nat(9),
  fc.constantFrom(...folders),
  fc.constantFrom('', 'g/', 'h/i/', ...folders),
  fc.nat(),
);

/** What a side does: mostly moves of whole folders, of which the last keep their names. */
function edited(
  before: Records,
  steps: readonly (readonly [number, string, string, number])[],
  own: number,
): Records {
  let now: Record<string, Rec> = { ...before };
  for (const [how, from, to, n] of steps) {
    const names = Object.keys(now);
    const name = names[n % Math.max(1, names.length)];
    if (how === 0 && name !== undefined) delete now[name];
    else if (how === 1 && name !== undefined)
      now[name] = { ...now[name]!, ...file(0, `edit ${own} ${n}`), id: now[name]!.id };
    else if (how === 2) now[`${to}new${n % 3}`] = file(100 + own * 50 + (n % 50));
    else if (how === 3 && name !== undefined && !Object.hasOwn(now, `${to}m`)) {
      now[`${to}m`] = now[name]!;
      if (name !== `${to}m`) delete now[name];
    } else if (!to.startsWith(from)) {
      const target = `${to}${n % 2 === 0 ? `${from.split('/').at(-2)}/` : ''}`;
      if (!names.some((other) => other.startsWith(target) && target !== ''))
        now = Object.fromEntries(
          names.map((old) => [old.startsWith(from) ? `${target}${old.slice(from.length)}` : old, now[old]!]),
        );
    }
  }
  const clash = (one: string) => Object.keys(now).some((other) => other.startsWith(`${one}/`));
  return Object.fromEntries(Object.entries(now).filter(([one]) => !clash(one)));
}

describe('folders that moved as a whole', () => {
  it('the merge is the same as if all that is in them had been looked at', () => {
    let used = 0;
    let runs = 0;
    fc.assert(
      fc.property(
        trees,
        fc.array(step, { maxLength: 4 }),
        fc.array(step, { maxLength: 4 }),
        (base, one, other) => {
          using past = newPast();
          const { history } = past.repo;
          const start = past.commit(base, { parents: [], timeSec: 100 });
          const sides = [one, other].map((steps, n) =>
            past.commit(edited(base, steps, n), { parents: [start], timeSec: 200 + n }),
          ) as [GitId, GitId];
          const counted: typeof WholeFolders.find = (reader, given) => {
            const found = WholeFolders.find(reader, given);
            if (!found.isEmpty) used++;
            return found;
          };
          runs++;
          const joined = join(new Overlay(history), ...sides, counted);
          const plain = join(new Overlay(history), ...sides, () => WholeFolders.none);
          expect({ commit: joined.commit, conflicts: joined.conflicts }).toEqual({ commit: plain.commit, conflicts: plain.conflicts }); // biome-ignore format: long
        },
      ),
      { numRuns: 120 },
    );
    expect(used).toBeGreaterThan(runs / 10);
  });

  it('reads nothing of what is in them', () => {
    using past = newPast();
    const { history } = past.repo;
    const many = (folder: string): Records => Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`${folder}/${n % 20}/${n}`, file(n)])); // biome-ignore format: long
    const base = past.commit(
      { ...many('photos/2019'), x: file(1_000), 'photos/y': file(1_001) },
      { parents: [] },
    );
    const mine = past.commit({ ...many('photos/2019'), x: file(1_000), 'photos/y': file(1_001, 'edited') }, { parents: [base] }); // biome-ignore format: long
    const theirs = past.commit({ ...many('archive/old/2019'), x: file(1_000, 'edited'), 'photos/y': file(1_001) }, { parents: [base] }); // biome-ignore format: long
    let read = 0;
    const counting = Object.assign(Object.create(history) as typeof history, {
      readTree: (id: GitId) => {
        read++;
        return history.readTree(id);
      },
      readBlobText: (id: GitId) => {
        read++;
        return history.readBlobText(id);
      },
      readCommit: (id: GitId) => history.readCommit(id),
      hasPacked: (id: GitId) => history.hasPacked(id),
    });
    const { objects, commit } = join(new Overlay(counting), mine, theirs);
    expect(read).toBeLessThan(60);
    // The root, what is left of photos, and the commit.
    expect(objects.count).toBe(3);
    expect(objects.readTree(objects.readCommit(commit).tree).map(({ name }) => name)).toEqual([
      'archive',
      'photos',
      'x',
    ]);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { commitOf, Disk, type Head, observe, readContents } from './disk.fixture.ts';
import type { SeenEntry } from './entry.ts';
import type { Observed } from './evidence.ts';
import { type Identified, identify } from './identify.ts';
import { settle, wanted } from './settle.ts';

const NAMES = ['a', 'b', 'c', 'd/a', 'd/b', 'd/e/a', 'f/a', 'f/b', 'g/e/a', 'g/c'];
const name = fc.constantFrom(...NAMES);
const content = fc.constantFrom('', 'one', 'two', 'four', 'fives', '->a');
const kind = fc.constantFrom('file' as const, 'file' as const, 'file' as const, 'symlink' as const);
const operation = fc.oneof(
  fc.record({ do: fc.constantFrom('mv', 'mv', 'cp', 'ln', 'remake'), from: name, to: name }),
  fc.record({ do: fc.constantFrom('write', 'edit'), to: name, content, kind }),
  fc.record({ do: fc.constantFrom('rm', 'touch', 'chmod'), from: name }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function carryOut(disk: Disk, op: Operation): void {
  if ('content' in op) {
    const text = op.kind === 'symlink' && op.content === '' ? 'x' : op.content;
    if (op.do === 'write' || disk.nodes.get(op.to)?.type === 'symlink') disk.write(op.to, text, op.kind);
    else if (disk.nodes.has(op.to)) disk.edit(op.to, text);
  } else if (!disk.nodes.has(op.from)) {
    return;
  } else if (!('to' in op)) {
    if (op.do === 'rm') disk.rm(op.from);
    else if (op.do === 'touch') disk.touch(op.from);
    else disk.chmod(op.from, 0o600);
  } else if (op.from !== op.to) {
    if (op.do === 'mv') disk.mv(op.from, op.to);
    else if (op.do === 'cp') disk.cp(op.from, op.to);
    else if (op.do === 'ln') disk.ln(op.from, op.to);
    else disk.remake(op.from, op.to);
  }
}

const world = fc.record({
  files: fc.dictionary(name, content, { maxKeys: 8 }),
  links: fc.array(fc.tuple(name, name), { maxLength: 2 }),
  operations: fc.array(operation, { maxLength: 12 }),
});

/** A head and the disk some work later. */
function lived({ files, links, operations }: typeof world extends fc.Arbitrary<infer T> ? T : never) {
  const disk = new Disk();
  for (const [path, text] of Object.entries(files)) disk.write(path, text);
  for (const [from, to] of links) if (disk.nodes.has(from) && from !== to) disk.ln(from, to);
  const head = commitOf(disk);
  for (const op of operations) carryOut(disk, op);
  return { head, disk };
}

function decide(head: Head, observed: Observed): Identified {
  return identify({ ...observed, departed: [], objectsIn: head.objectsIn });
}

/** Path → id and evidence, without what was read. */
function answer(identified: Identified): unknown {
  return {
    entries: identified.entries.map(({ seen, object }) => [
      seen.path,
      object.kind === 'known' ? [object.tracked.path, object.evidence] : object.kind,
    ]),
    deleted: identified.deleted.map((tracked) => tracked.path),
  };
}

function objectsOf(identified: Identified): unknown {
  return {
    entries: identified.entries.map(({ seen, object }) => [
      seen.path,
      object.kind === 'known' ? object.tracked.id : object.kind,
    ]),
    deleted: identified.deleted.map((tracked) => tracked.path),
  };
}

function readAsStatus(observed: Observed, disk: Disk): { known: Observed; read: SeenEntry[] } {
  let known = settle(observed);
  const read: SeenEntry[] = [];
  for (let ask = wanted(known, { all: false }); ask.length > 0; ask = wanted(known, { all: false })) {
    read.push(...ask);
    known = readContents(known, ask, disk);
  }
  return { known, read };
}

const RUNS = { numRuns: 3000 };

describe('identify, of any work on a disk', () => {
  test('every seen entry is exactly one object, every tracked one is claimed once or deleted', () => {
    fc.assert(
      fc.property(world, (input) => {
        const { head, disk } = lived(input);
        const observed = observe(head, disk, { read: true });
        const result = decide(head, observed);
        const seen = [...observed.added, ...observed.occupied.map((pair) => pair.seen)];
        expect(result.entries.map((entry) => entry.seen.path)).toEqual(seen.map(({ path }) => path).sort());
        const claimed = result.entries.flatMap(({ object }) =>
          object.kind === 'known' ? [object.tracked] : [],
        );
        const lost = [...observed.gone, ...observed.occupied.map((pair) => pair.tracked)];
        const accounted = [...claimed, ...result.deleted].map((tracked) => tracked.path).sort();
        expect(accounted).toEqual(lost.map((tracked) => tracked.path).sort());
        for (const { seen, object } of result.entries) {
          if (object.kind === 'known') expect(object.tracked.type).toBe(seen.type);
        }
      }),
      RUNS,
    );
  });

  test('the order of the input does not matter', () => {
    fc.assert(
      fc.property(world, fc.integer(), (input, seed) => {
        const { head, disk } = lived(input);
        const observed = observe(head, disk, { read: true });
        const turned = shuffled(observed, seed);
        expect(answer(decide(head, turned))).toEqual(answer(decide(head, observed)));
      }),
      RUNS,
    );
  });

  test('settling and reading the rest gives what reading everything gives', () => {
    fc.assert(
      fc.property(world, (input) => {
        const { head, disk } = lived(input);
        const settled = settle(observe(head, disk, { read: false }));
        const known = readContents(settled, wanted(settled, { all: true }), disk);
        const everything = observe(head, disk, { read: true });
        expect(known).toEqual(everything);
        expect(answer(decide(head, known))).toEqual(answer(decide(head, everything)));
      }),
      RUNS,
    );
  });

  test('what status reads is enough to know every object that commit knows', () => {
    fc.assert(
      fc.property(world, (input) => {
        const { head, disk } = lived(input);
        const { known } = readAsStatus(observe(head, disk, { read: false }), disk);
        const everything = decide(head, observe(head, disk, { read: true }));
        expect(objectsOf(decide(head, known))).toEqual(objectsOf(everything));
      }),
      RUNS,
    );
  });

  test('a random reorganisation keeps every id and reads nothing', () => {
    const paths = fc.uniqueArray(fc.stringMatching(/^[a-c](\/[a-c]){0,3}\/[0-9]{1,2}$/), {
      minLength: 2,
      maxLength: 40,
    });
    const moves = paths.chain((all) => {
      const half = { minLength: all.length >> 1, maxLength: all.length >> 1 };
      return fc.tuple(fc.shuffledSubarray(all, half), fc.shuffledSubarray(all, half));
    });
    fc.assert(
      fc.property(moves, ([from, to]) => {
        const disk = new Disk();
        for (const [i, path] of from.entries()) disk.write(path, `content ${i}`);
        const head = commitOf(disk);
        const nodes = from.map((path) => disk.nodes.get(path)!);
        disk.nodes.clear();
        for (const [i, node] of nodes.entries()) {
          disk.nodes.set(to[i]!, to[i] === from[i] ? node : { ...node, ctimeNs: 9_999n });
        }
        const settled = settle(observe(head, disk, { read: false }));
        expect(wanted(settled, { all: true })).toEqual([]);
        const result = decide(head, settled);
        expect(result.deleted).toEqual([]);
        const now = new Map(result.entries.map(({ seen, object }) => [seen.path as string, object]));
        for (const [i, path] of to.entries()) {
          if (path === from[i]) expect(now.has(path)).toBe(false);
          else expect(now.get(path)).toMatchObject({ kind: 'known', tracked: { path: from[i] } });
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('settle and wanted', () => {
  const start = (files: Record<string, string>): { disk: Disk; head: Head } => {
    const disk = new Disk();
    for (const [path, text] of Object.entries(files)) disk.write(path, text);
    return { disk, head: commitOf(disk) };
  };
  const asked = (head: Head, disk: Disk, all: boolean): string[] =>
    wanted(settle(observe(head, disk, { read: false })), { all }).map((seen) => seen.path);

  test('an edit of another size is not read by status, one of the same size is', () => {
    const { disk, head } = start({ a: 'one', b: 'two' });
    disk.edit('a', 'longer');
    disk.edit('b', 'TWO');
    expect(asked(head, disk, false)).toEqual(['b']);
    expect(asked(head, disk, true)).toEqual(['a', 'b']);
  });

  test('a new file is read by status only if something of its size is missed', () => {
    const { disk, head } = start({ a: 'one', b: 'longer' });
    disk.write('n', 'new');
    disk.write('m', 'fresh!');
    expect(asked(head, disk, false)).toEqual([]);
    disk.remake('b', 'x/b');
    expect(asked(head, disk, false)).toEqual(['m', 'x/b']);
  });

  test('a folder moved beside new files of the same size asks for nothing', () => {
    const { disk, head } = start({ 'd/a': 'one', 'd/b': 'two' });
    disk.mv('d', 'e');
    disk.write('new', 'abc');
    expect(asked(head, disk, false)).toEqual([]);
    expect(asked(head, disk, true)).toEqual(['new']);
  });

  test('a changed mode or a new hard link leaves nothing settled: only reading tells', () => {
    const { disk, head } = start({ a: 'one' });
    disk.ln('a', 'b');
    expect(asked(head, disk, true)).toEqual(['b', 'a']);
  });

  test('what is still at its path is read, even if a hard link of it that is gone had its stat', () => {
    const { disk } = start({ a: 'one' });
    disk.ln('a', 'b');
    const head = commitOf(disk);
    disk.rm('a');
    disk.rot('b', 'ono');
    expect(asked(head, disk, false)).toEqual(['b']);
  });

  test('hard links to which the index gives different contents settle nothing', () => {
    const { disk, head } = start({ a: 'one', x: 'two' });
    disk.ln('a', 'b');
    const linked = commitOf(disk);
    disk.mv('a', 'c');
    disk.mv('b', 'd');
    const entries = linked.entries.map((tracked) =>
      tracked.path === 'b' ? { ...tracked, blake3: head.entries[1]!.blake3! } : tracked,
    );
    expect(asked(linked, disk, true)).toEqual([]);
    expect(asked({ ...linked, entries }, disk, true)).toEqual(['c', 'd']);
  });
});

/** The same observation, told in another order. */
function shuffled(observed: Observed, seed: number): Observed {
  let state = seed >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
  const turn = <T>(entries: readonly T[]): T[] =>
    entries
      .map((entry) => ({ entry, key: next() }))
      .sort((a, b) => a.key - b.key)
      .map(({ entry }) => entry);
  return { gone: turn(observed.gone), occupied: turn(observed.occupied), added: turn(observed.added) };
}

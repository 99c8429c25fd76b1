import {
  type ContentHash,
  type GitId,
  mergeBases,
  type ObjectId,
  parentOf,
  type Rec,
  type RepoPath,
} from '@bk/core';
import { type DepartedRow, isAncestor } from '@bk/store';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { graphOf } from '../history/graph.ts';
import { file, idOf, type MadePast, newPast } from '../past.fixture.ts';
import { departedSince } from './departures.ts';

/** What a commit has, by object. A path ends with the object's number: no two meet. */
type State = ReadonlyMap<ObjectId, { readonly path: RepoPath; readonly rec: Rec }>;

interface Made {
  readonly id: GitId;
  readonly has: State;
  readonly parents: readonly Made[];
}

interface Step {
  readonly how: (typeof HOW)[number];
  /** Choose the commit to go on from, another to merge with, an object, and what is done. */
  readonly on: number;
  readonly with: number;
  readonly which: number;
  readonly n: number;
}

const HOW = [
  'delete',
  'delete',
  'edit',
  'restore',
  'add',
  'move',
  'mode',
  'unify',
  'merge',
  'merge',
  'merge',
] as const;
const step: fc.Arbitrary<Step> = fc.record({
  how: fc.constantFrom(...HOW),
  ...{ on: fc.nat(99), with: fc.nat(99), which: fc.nat(99), n: fc.nat() },
});

/** Half of the commits are of this repository, and half of the deletions are confirmed. */
const messageOf = (n: number) =>
  `m\n\nBk-Repository: ${idOf(n % 2)} name\nBk-Deletions: ${n % 4 < 2 ? 'confirmed' : 'kept'}\n`;
const OWN = idOf(0);

class Graph {
  readonly commits: Made[] = [];
  readonly #past: MadePast;
  readonly #lawful: boolean;
  #objects = 10;

  /** @param lawful merges take from each side what it did, as bk's do; else anything of either */
  constructor(past: MadePast, lawful: boolean) {
    this.#past = past;
    this.#lawful = lawful;
    const has = [10, 11, 12].map((n) => [idOf(n), { path: `a/${n}` as RepoPath, rec: file(n) }] as const);
    this.#objects = 13;
    this.#commit(new Map(has), [], 'x\n');
  }

  make({ how, on, with: other, which, n }: Step): void {
    const one = this.commits.at(-1 - (on % Math.min(4, this.commits.length)))!;
    const two = this.commits.at(-1 - (other % this.commits.length))!;
    if (how === 'merge') {
      if (this.#lawful && (this.#leadsTo(one, two) || this.#leadsTo(two, one))) return;
      const base = this.#lawful ? this.#base(one, two) : undefined;
      if (one !== two) this.#commit(joined([one.has, two.has], base, n), [one, two].sort(byId), 'merge\n');
      return;
    }
    const has = new Map(one.has);
    const [id, old] = [...has][which % Math.max(1, has.size)] ?? [];
    if (how === 'add') {
      const number = this.#objects++;
      has.set(idOf(number), { path: `a/${number}` as RepoPath, rec: file(number) });
    } else if (how === 'restore') this.#restore(has, n);
    else if (id !== undefined) this.#change(has, { how, id, n, ...old! });
    this.#commit(has, [one], messageOf(n));
  }

  #change(
    has: Map<ObjectId, { path: RepoPath; rec: Rec }>,
    { how, id, n, path, rec }: { how: Step['how']; id: ObjectId; n: number; path: RepoPath; rec: Rec },
  ): void {
    const number = path.slice(parentOf(path).length + 1);
    if (how === 'delete') has.delete(id);
    else if (how === 'edit') has.set(id, { path, rec: { ...rec, blake3: file(0, `edit ${n % 5}`).blake3! } });
    else if (how === 'move') has.set(id, { path: `${'abc'[n % 3]}/${number}` as RepoPath, rec });
    else if (how === 'mode') has.set(id, { path, rec: { ...rec, mode: ['0600', '0640', '0755'][n % 3]! } });
    else if (how === 'unify') {
      const [[into, heir] = []] = [...has].filter(([other]) => other < id).slice(n % 2);
      if (into === undefined) return;
      has.delete(id);
      const was = [...new Set([...(heir!.rec.was ?? []), ...(rec.was ?? []), id])].sort();
      has.set(into, { path: heir!.path, rec: { ...heir!.rec, was } });
    }
  }

  /** What any commit had before, as it was. */
  #restore(has: Map<ObjectId, { path: RepoPath; rec: Rec }>, n: number): void {
    const all = this.commits.flatMap((commit) => [...commit.has]);
    const [id, old] = all[n % all.length]!;
    const unified = [...has.values()].some(({ rec }) => rec.was?.includes(id) === true);
    if (!unified && !has.has(id)) has.set(id, old);
  }

  #leadsTo(one: Made, two: Made): boolean {
    return isAncestor(this.#past.repo.history, one.id, two.id);
  }

  #base(one: Made, two: Made): State {
    const [id] = mergeBases(graphOf(this.#past.repo.history), one.id, two.id);
    return this.commits.find((commit) => commit.id === id)!.has;
  }

  #commit(has: State, parents: readonly Made[], message: string): void {
    const records = Object.fromEntries([...has.values()].map(({ path, rec }) => [path, rec]));
    const id = this.#past.commit(records, { parents: parents.map((parent) => parent.id), message });
    this.commits.push({ id, has, parents });
  }
}

const byId = (a: Made, b: Made) => (a.id < b.id ? -1 : 1);

/** Of each object what one side has: the one that changed it; one that lives on as another is no more. */
function joined([one, two]: readonly [State, State], base: State | undefined, n: number): State {
  const ids = [...new Set([...one.keys(), ...two.keys()])].sort();
  const same = (a: State, id: ObjectId): boolean =>
    base !== undefined && base.get(id)?.rec.blake3 === a.get(id)?.rec.blake3 && base.has(id) === a.has(id);
  const has = new Map(
    ids.flatMap((id, i) => {
      const chosen = same(one, id) ? two : same(two, id) ? one : ((n >> i) & 1) === 0 ? one : two;
      const entry = (base === undefined ? (((n >> i) & 1) === 0 ? one : two) : chosen).get(id);
      return entry === undefined ? [] : [[id, entry] as const];
    }),
  );
  for (const { rec } of [...has.values()]) for (const id of rec.was ?? []) has.delete(id);
  return has;
}

const livesIn = (has: State, id: ObjectId): Rec | undefined =>
  has.get(id)?.rec ?? [...has.values()].find(({ rec }) => rec.was?.includes(id) === true)?.rec;

const textOf = ({ id, record, commit, path, reason, confirmed, arrivedSec }: DepartedRow) =>
  `${path} ${reason} ${id} ${record} ${commit} ${confirmed ? 'confirmed' : 'kept'} ${arrivedSec ?? 'here'}`;

/** What an index lists that knew all up to a commit and then came to the last. */
function advanced(past: MadePast, from: GitId, to: GitId): Map<string, DepartedRow> {
  const query = { to, own: OWN };
  const before = departedSince(past.repo.history, { ...query, from: undefined, to: from }).rows;
  const listed = (id: ObjectId) => before.filter((row) => row.id === id);
  const { rows, withdrawn, continues } = departedSince(past.repo.history, { ...query, from, listed });
  expect(continues).toBe(true);
  const key = ({ id, record, commit }: DepartedRow) => `${id} ${record} ${commit}`;
  const all = new Map(before.map((row) => [key(row), row]));
  for (const row of withdrawn) expect(all.delete(key(row))).toBe(true);
  for (const row of rows) all.set(key(row), row);
  return all;
}

interface Told {
  readonly graph: Graph;
  readonly rows: readonly DepartedRow[];
  /** What an index lists that came some way, for each commit on the way. */
  readonly onTheWay: readonly (readonly DepartedRow[])[];
  readonly to: Made;
  readonly ancestors: readonly Made[];
}

function tell(past: MadePast, steps: readonly Step[], lawful: boolean): Told {
  const graph = new Graph(past, lawful);
  for (const each of steps) graph.make(each);
  const { history } = past.repo;
  const to = graph.commits.at(-1)!;
  const ancestors = graph.commits.filter(({ id }) => isAncestor(history, id, to.id));
  const { rows } = departedSince(history, { from: undefined, to: to.id, own: OWN });
  const onTheWay = ancestors.map(({ id }) => [...advanced(past, id, to.id).values()]);
  return { graph, rows, onTheWay, to, ancestors };
}

const versionText = ({ id, blake3 }: { id: ObjectId; blake3?: ContentHash | undefined }) => `${id} ${blake3}`;

/** All that any commit had and the last has not is there, and no deletion of what lives. */
function verifyComplete({ rows, to, ancestors }: Told): void {
  for (const { id, reason } of rows)
    if (reason === 'deleted') expect(livesIn(to.has, id), `${id} lives`).toBeUndefined();
  const versions = new Set(rows.map(versionText));
  const deleted = new Set(rows.filter(({ reason }) => reason === 'deleted').map(({ id }) => id));
  const contents = new Set(
    [...rows, ...[...to.has.values()].map(({ rec }) => rec)].map(({ blake3 }) => blake3),
  );
  const became = new Set(
    ancestors.flatMap(({ has }) => [...has.values()].flatMap(({ rec }) => rec.was ?? [])),
  );
  for (const { has } of ancestors)
    for (const [id, { rec }] of has) {
      expect(contents, `content of ${id}`).toContain(rec.blake3);
      if (became.has(id)) continue;
      if (to.has.get(id)?.rec.blake3 !== rec.blake3) expect(versions).toContain(versionText(rec));
      if (!to.has.has(id)) expect(deleted).toContain(id);
    }
}

/** Whoever comes from a parent finds what it had under the path where it was. */
function verifyPaths({ rows, to }: Told): void {
  const places = new Set(rows.map((row) => `${row.path} ${versionText(row)}`));
  for (const parent of to.parents)
    for (const [id, { path, rec }] of parent.has) {
      // What both parents had and the merge has not is listed under one of the two paths.
      const both = to.parents.every(({ has }) => has.get(id)?.rec.blake3 === rec.blake3);
      if (livesIn(to.has, id)?.blake3 === rec.blake3 || (both && to.parents.length > 1)) continue;
      expect(places).toContain(`${path} ${versionText(rec)}`);
    }
}

const runs = { numRuns: Number(process.env['BK_RUNS'] ?? 40) };
const graphs = fc.array(step, { minLength: 3, maxLength: 14 });

test('with merges as bk makes them: complete, and the same however far an index had come', () => {
  let merges = 0;
  fc.assert(
    fc.property(graphs, (steps) => {
      using past = newPast();
      const told = tell(past, steps, true);
      merges += told.ancestors.filter(({ parents }) => parents.length > 1).length;
      verifyComplete(told);
      verifyPaths(told);
      for (const rows of told.onTheWay) expect(rows.map(textOf).sort()).toEqual(told.rows.map(textOf).sort());
    }),
    runs,
  );
  expect(merges).toBeGreaterThan(0);
});

test('with merges that take anything from either side: complete; an index that came some way knows no less, and holds no less', () => {
  fc.assert(
    fc.property(graphs, (steps) => {
      using past = newPast();
      const told = tell(past, steps, false);
      verifyComplete(told);
      verifyPaths(told);
      const all = new Set(told.rows.map(textOf));
      const versions = new Set(told.rows.map(versionText));
      for (const rows of told.onTheWay) {
        const keys = new Set(rows.map((row) => `${row.id} ${row.record} ${row.commit} ${row.reason}`));
        for (const { id, record, commit, reason } of told.rows)
          expect(keys).toContain(`${id} ${record} ${commit} ${reason}`);
        for (const row of rows.filter((each) => !all.has(textOf(each)))) {
          expect(versions).toContain(versionText(row));
          expect(row.confirmed).toBe(false);
        }
      }
    }),
    runs,
  );
});

import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { type Answer, type Outcome, run } from './bk.ts';
import { type EndState, endStates, otherEnd } from './end-state.ts';
import { type Fault, KILLED, type Op, opsOf, runWithFault, stratified } from './faults.ts';
import { head, type RecordAt, records } from './history.ts';
import { Template } from './mounts.ts';
import {
  type Allowed,
  checkProblems,
  deletedBy,
  indexDisagreements,
  inOther,
  leftovers,
  losses,
  observe,
  placesOf,
  restless,
  unexplained,
  type World,
  worldAt,
} from './oracle.ts';
import type { PowerLoss } from './power.ts';
import { wrongPresence } from './presence.ts';
import type { Scenario } from './scenarios.ts';
import { contentsOf, differences, type Snapshot } from './snapshot.ts';

/** A scenario made ready: its template, the world before it, and what an undisturbed run makes of it. */
export class Stage {
  readonly scenario: Scenario;
  readonly ops: readonly Op[];
  readonly async: readonly string[];
  /** Of all repositories; the first is the command's own. */
  readonly roots: readonly string[];
  /** What an undisturbed run records in its own head. */
  readonly recorded: ReadonlyMap<string, RecordAt>;
  readonly #template: Template;
  readonly #wanted: readonly EndState[];
  readonly #intended: readonly Allowed[];
  readonly #codes: readonly number[];
  readonly #again: readonly number[];
  /** Where the outcome is one to the bit. */
  readonly #heads: readonly (string | null)[];
  /** What `check` says of an undisturbed run, too (of a content that was never committed, say). */
  readonly #problems: ReadonlySet<string>;
  /** What `status` may call deleted, in each repository. */
  readonly #deleted: readonly ReadonlySet<string>[];
  #program: string | undefined;
  #world: World;

  /** @param losesPower see Template */
  constructor(scenario: Scenario, losesPower = false) {
    this.scenario = scenario;
    this.#template = new Template(scenario.make, scenario.volumes ?? 1, losesPower);
    scenario.spoil?.(this.#template);
    this.roots = this.#template.points.map((point) => worldAt(point).root);
    this.#world = this.reset();
    this.#deleted = this.roots.map((root) => new Set(deletedBy(statusOf(root) ?? { changes: [] })));
    const world = this.reset();
    const { outcome, ops, async } = opsOf(this.#command());
    this.#codes = [scenario.code ?? 0];
    this.#again = scenario.again ?? this.#codes;
    const failed = unexplained(outcome, this.#codes);
    if (failed.length > 0) throw new Error(`undisturbed ${scenario.name}: ${failed.join('; ')}`);
    if (scenario.finish !== undefined) run(['-C', this.root, ...scenario.finish]);
    this.ops = ops;
    this.async = async;
    this.#wanted = endStates(this.roots, this.#template.exact);
    this.recorded = head(this.root) === null ? new Map() : records(this.root);
    this.#heads = scenario.exact === true && this.#template.exact ? this.roots.map((root) => head(root)) : [];
    this.#problems = new Set(this.#each(checkProblems));
    const after = observeAgain(this.#template);
    this.#intended = placesOf(world).map((place, i) => intended(place, placesOf(after)[i] ?? place));
    this.reset();
  }

  get root(): string {
    return this.#world.root;
  }

  /** From now on another program than bin/bk is under test (a seeded bug); the undisturbed run was bin/bk's. */
  testing(program: string): this {
    this.#program = program;
    this.reset();
    return this;
  }

  /** What an undisturbed run makes of the command's own folder. */
  get outcome(): Snapshot {
    return this.#wanted[0]?.tree ?? new Map();
  }

  /** The start state again. */
  reset(): World {
    this.#template.fresh();
    this.#world = observeAgain(this.#template);
    return this.#world;
  }

  /** The start state with something in it that happened meanwhile; the world is what it is after that. */
  resetWith(change: (roots: readonly string[]) => void): void {
    this.#template.fresh();
    change(this.roots);
    this.#world = observeAgain(this.#template);
  }

  /** Runs the command with a fault in it, from the start state. */
  disturbed(fault: Fault): Outcome {
    this.reset();
    return this.again(fault);
  }

  again(fault: Fault): Outcome {
    const program = this.#program === undefined ? {} : { program: this.#program };
    return runWithFault(this.#command(), fault, program);
  }

  undisturbed(): Outcome {
    return this.again({});
  }

  losePower(loss: PowerLoss): void {
    this.#template.losePower(loss);
  }

  /** The command line; `@1` in a scenario's words is the root of the first other repository. */
  #command(words: readonly string[] = this.scenario.command): string[] {
    return [
      '-C',
      this.root,
      ...words.map((word) => word.replace(/^@(\d)/, (_, i) => this.roots[Number(i)] ?? '')),
    ];
  }

  get arguments(): readonly string[] {
    return this.#command();
  }

  /** O1 to O4, right after a fault. */
  losses(settled = false): string[] {
    const own = this.scenario.allowed?.(this.#world);
    return losses(
      this.#world,
      ...this.#intended.map((allowed, i) => ({ ...(i === 0 && own !== undefined ? own : allowed), settled })),
    );
  }

  /**
   * The next commands, and then everything the oracle knows.
   * @param depth 0: the same command again; 1: `status` first; 2: and the index made anew, and two more runs
   */
  aftermath(depth: number): string[] {
    try {
      return this.#aftermath(depth);
    } catch (error) {
      return [`O6: the look afterwards broke off: ${String(error).slice(0, 300)}`];
    }
  }

  #aftermath(depth: number): string[] {
    const found: string[] = [];
    const isInit = this.scenario.name === 'init';
    if (depth > 0 && !isInit) found.push(...this.#statuses(), ...this.losses(true));
    found.push(...this.#run(this.scenario.command, isInit ? [0, 3] : this.#again));
    if (this.scenario.finish !== undefined) found.push(...this.#run(this.scenario.finish, [0]));
    found.push(...this.losses(true), ...this.#each(leftoversAfterWriting), ...this.#otherEnds());
    if (depth > 1) {
      const again = () => run(this.#command(), this.#options());
      found.push(...restless(again, this.roots, isInit ? [0, 3] : [0, 1]), ...this.#each(wrongPresence));
      const problems = this.#each(checkProblems).filter((what) => !this.#problems.has(what));
      found.push(...problems, ...this.#each(indexDisagreements));
    }
    return found;
  }

  /** `status` everywhere: it explains itself, and calls nothing deleted that a person did not delete. */
  #statuses(): string[] {
    return this.#each((root, i) => {
      if (!fs.existsSync(root)) return [];
      const done = run(['--json', '-C', root, 'status'], this.#options());
      // A clone that is not finished is no repository yet: it says so.
      const half =
        this.#world.others[i - 1]?.tree.size === 0 && !fs.existsSync(path.join(root, '.bk/config.json'));
      const wrong = unexplained(done, half ? [4] : [0, 1]).map((what) => `next, status: ${what}`);
      if (wrong.length > 0 || half) return wrong;
      const deleted = deletedBy(JSON.parse(done.stdout) as Answer).filter((at) => !this.#deleted[i]?.has(at));
      return deleted.map((at) => `O1: status says that ${JSON.stringify(at)} was deleted`);
    });
  }

  #otherEnds(): string[] {
    const reached = endStates(this.roots, this.#template.exact);
    return this.#wanted.flatMap((wanted, i) => {
      const end = reached[i];
      if (end === undefined) return [];
      const trees = differences(wanted.tree, end.tree, { inode: false, times: this.#template.exact });
      return [...this.#otherHead(i), ...otherEnd(end, wanted), ...trees.map((what) => `end: ${what}`)].map(
        (what) => inOther(what, i),
      );
    });
  }

  #otherHead(i: number): string[] {
    const wanted = this.#heads[i];
    const is = head(this.roots[i] ?? '');
    return wanted === undefined || is === wanted ? [] : [`O5: the head is ${is}, not ${wanted}`];
  }

  #each(look: (root: string, i: number) => readonly string[]): string[] {
    return this.roots.flatMap((root, i) => look(root, i).map((what) => inOther(what, i)));
  }

  #options() {
    return this.#program === undefined ? {} : { program: this.#program };
  }

  #run(command: readonly string[], codes: readonly number[]): string[] {
    return unexplained(run(this.#command(command), this.#options()), codes).map(
      (what) => `next, ${command[0]}: ${what}`,
    );
  }
}

/** A command that had nothing to do in another repository clears nothing there: its next writer does. */
function leftoversAfterWriting(root: string, i: number): string[] {
  const found = leftovers(root);
  if (i === 0 || found.length === 0) return found;
  run(['-C', root, 'commit', '-m', 'nothing']);
  return leftovers(root);
}

function observeAgain({ points }: Template): World {
  const [point = '', ...others] = points;
  return observe(point, others);
}

function statusOf(root: string): Answer | undefined {
  const done = run(['--json', '-C', root, 'status']);
  return done.code < 2 ? (JSON.parse(done.stdout) as Answer) : undefined;
}

interface TreeAndContents {
  readonly tree: Snapshot;
  readonly contents: ReadonlySet<string>;
}

/** What an undisturbed run did to a repository is what a disturbed one may do, too, and nothing else. */
function intended(before: TreeAndContents, after: TreeAndContents): Allowed {
  const changes = new Map<string, string[]>();
  const gone = new Set<string>();
  for (const at of new Set([...before.tree.keys(), ...after.tree.keys()])) {
    const [was, is] = [before.tree.get(at), after.tree.get(at)];
    const one = (entry: typeof is): Snapshot => new Map(entry === undefined ? [] : [[at, entry]]);
    if (differences(one(was), one(is)).length === 0) continue;
    changes.set(at, is === undefined ? [] : [is.blake3]);
    if (is === undefined) gone.add(at);
  }
  const kept = new Set([...contentsOf(after.tree), ...after.contents]);
  const dropped = new Set([...before.contents].filter((hash) => !kept.has(hash)));
  return { changes, gone, dropped, passing: new Set([...before.contents, ...kept]) };
}

/** How much is looked at afterwards, all depths in turn; with more repositories it takes long, so more seldom. */
function depthAt(stage: Stage, n: number): number {
  const seldom = stage.roots.length > 1 ? 8 : 3;
  return n % seldom === 0 ? 2 : n % 2;
}

/** One kill before call n, and what came of it. */
export function killRound(stage: Stage, n: number): string[] {
  const done = stage.disturbed({ KILL_AT: String(n) });
  const found =
    done.code === KILLED || n > stage.ops.length ? [] : [`exit ${done.code} where a kill was due`];
  return named(stage, n, [...found, ...stage.losses(), ...stage.aftermath(depthAt(stage, n))]);
}

/** The power goes before call n: what was written and not made durable may be gone with it. */
export function powerRound(stage: Stage, n: number, loss: PowerLoss): string[] {
  const done = stage.disturbed({ KILL_AT: String(n) });
  const found =
    done.code === KILLED || n > stage.ops.length ? [] : [`exit ${done.code} where a kill was due`];
  stage.losePower(loss);
  return named(
    stage,
    n,
    [...found, ...stage.losses(), ...stage.aftermath(depthAt(stage, n))],
    `power (${loss})`,
  );
}

/** One failing call. A program may get round it (exit 0), report it (1), refuse (3, if it says so) or stop (4), never lose anything. */
export function failRound(stage: Stage, n: number, code: string): string[] {
  const done = stage.disturbed({ FAIL_AT: `${n}:${code}` });
  return named(
    stage,
    n,
    [
      ...unexplained(done, stage.scenario.failing ?? [0, 1, 4]),
      ...stage.losses(),
      ...stage.aftermath(n % 3 === 0 ? 2 : n % 2),
    ],
    code,
  );
}

/** What calls fail with; `persistent`: every later one, too. */
const FAILURES = [
  'ENOSPC',
  'EIO',
  'EACCES',
  'EMLINK',
  'EXDEV',
  'ESTALE',
  'short',
  'ENOSPC:persistent',
  'EIO:persistent',
];

/** So many failing calls, of all kinds (or these), with one error after the other; BK_ERRNO=EIO,EXDEV: with each of these. */
export function failRounds(stage: Stage, points: number | readonly number[]): string[] {
  const calls = typeof points === 'number' ? stratified(stage.ops, points) : points;
  const wanted = process.env['BK_ERRNO']?.split(',');
  if (wanted !== undefined)
    return calls.flatMap((n) => wanted.flatMap((errno) => failRound(stage, n, errno)));
  return calls.flatMap((n, i) => failRound(stage, n, FAILURES[i % FAILURES.length] ?? ''));
}

interface DoubleRound {
  readonly found: readonly string[];
  /** Whether the second kill happened, too. */
  readonly killedTwice: boolean;
}

/** So many first kills, spread over all calls, and the calls of the next command that the second one comes before. */
const FIRST_KILLS = 3;
const SECOND_KILLS = [1, 3, 7];
/** With BK_SWEEP=all, by hand: before every call, and again before one of these, each in its turn. */
const IN_TURN = [1, 2, 3, 5, 8, 12, 17, 23, 30, 38, 47, 57];

/** Killed, and killed again while the next command goes on or rolls back. */
export function doubleRounds(
  stage: Stage,
  firstKills = FIRST_KILLS,
  secondKills = SECOND_KILLS,
): DoubleRound[] {
  if (process.env['BK_SWEEP'] === 'all')
    return stage.ops.map(({ n }) => doubleRound(stage, n, IN_TURN[n % IN_TURN.length] ?? 1));
  return stratified(stage.ops, 60)
    .filter((_, i, { length }) => i % Math.ceil(length / firstKills) === 1)
    .flatMap((n) => secondKills.map((m) => doubleRound(stage, n, m)));
}

/** Killed before call n, and the next command again before its call m. */
function doubleRound(stage: Stage, n: number, m: number): DoubleRound {
  stage.disturbed({ KILL_AT: String(n) });
  const second = stage.again({ KILL_AT: String(m) });
  const found = [...stage.losses(), ...stage.aftermath(0)];
  return { found: named(stage, n, found, `then ${m}`), killedTwice: second.code === KILLED };
}

/** Every finding with the point it was found at, so that BK_SWEEP=n repeats it. */
export function named(stage: Stage, n: number, found: readonly string[], what = 'kill'): string[] {
  const op = stage.ops[n - 1];
  return found.map(
    (text) => `${stage.scenario.name}, ${what} at ${n} (${op?.name ?? 'end'} ${op?.subject ?? ''}): ${text}`,
  );
}

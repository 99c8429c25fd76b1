import { type Outcome, run } from './bk.ts';
import { type Fault, KILLED, type Op, opsOf, runWithFault } from './faults.ts';
import { Template } from './mounts.ts';
import {
  endState,
  indexDisagreements,
  leftovers,
  losses,
  observe,
  otherEnd,
  restless,
  unexplained,
  type World,
  worldAt,
} from './oracle.ts';
import type { Scenario } from './scenarios.ts';
import { differences, type Snapshot, snapshot } from './snapshot.ts';

/** A scenario made ready: its template, the world before it, and what an undisturbed run makes of it. */
export class Stage {
  readonly scenario: Scenario;
  readonly ops: readonly Op[];
  readonly async: readonly string[];
  readonly #template: Template;
  readonly #wantedEnd: ReadonlyMap<string, string>;
  readonly #wantedTree: Snapshot;
  readonly #program: string | undefined;
  #world: World;

  /** @param program another program than bin/bk under test (a seeded bug); the undisturbed run is always bin/bk's */
  constructor(scenario: Scenario, program?: string) {
    this.scenario = scenario;
    this.#program = program;
    this.#template = new Template(scenario.make);
    const { root } = worldAt(this.#template.fresh());
    const { outcome, ops, async } = opsOf(this.#command(root));
    const failed = unexplained(outcome, [0]);
    if (failed.length > 0) throw new Error(`undisturbed ${scenario.name}: ${failed.join('; ')}`);
    if (scenario.finish !== undefined) run(['-C', root, ...scenario.finish]);
    this.ops = ops;
    this.async = async;
    this.#wantedEnd = endState(root, this.#template.exact);
    this.#wantedTree = snapshot(root);
    this.#world = observe(this.#template.fresh());
  }

  get root(): string {
    return this.#world.root;
  }

  /** The start state again. */
  reset(): World {
    this.#world = observe(this.#template.fresh());
    return this.#world;
  }

  /** Runs the command with a fault in it, from the start state. */
  disturbed(fault: Fault): Outcome {
    this.reset();
    return this.again(fault);
  }

  again(fault: Fault): Outcome {
    const program = this.#program === undefined ? {} : { program: this.#program };
    return runWithFault(this.#command(this.root), fault, program);
  }

  undisturbed(): Outcome {
    return this.again({});
  }

  #command(root: string): string[] {
    return ['-C', root, ...this.scenario.command];
  }

  /** O1 to O4, right after a fault. */
  losses(settled = false): string[] {
    return losses(this.#world, { ...this.scenario.allowed(this.#world), settled });
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
    if (depth > 0 && this.scenario.name !== 'init')
      found.push(...this.#run(['status'], [0, 1]), ...this.losses(true));
    found.push(...this.#run(this.scenario.command, this.scenario.name === 'init' ? [0, 3] : [0]));
    if (this.scenario.finish !== undefined) found.push(...this.#run(this.scenario.finish, [0]));
    found.push(...this.losses(true), ...leftovers(this.root));
    found.push(...otherEnd(endState(this.root, this.#template.exact), this.#wantedEnd));
    found.push(
      ...differences(this.#wantedTree, snapshot(this.root), {
        inode: false,
        times: this.#template.exact,
      }).map((what) => `end: ${what}`),
    );
    if (depth > 1)
      found.push(...restless(this.root, this.scenario.command), ...indexDisagreements(this.root));
    return found;
  }

  #run(command: readonly string[], codes: readonly number[]): string[] {
    const program = this.#program === undefined ? {} : { program: this.#program };
    return unexplained(run(['-C', this.root, ...command], program), codes).map(
      (what) => `next, ${command[0]}: ${what}`,
    );
  }
}

/** One kill before call n, and what came of it. */
export function killRound(stage: Stage, n: number): string[] {
  const done = stage.disturbed({ KILL_AT: String(n) });
  const found =
    done.code === KILLED || n > stage.ops.length ? [] : [`exit ${done.code} where a kill was due`];
  return named(stage, n, [...found, ...stage.losses(), ...stage.aftermath(n % 3 === 0 ? 2 : n % 2)]);
}

/** One failing call. A program may get round it (exit 0), report it (1) or stop (4), never lose anything. */
export function failRound(stage: Stage, n: number, code: string): string[] {
  const done = stage.disturbed({ FAIL_AT: `${n}:${code}` });
  return named(
    stage,
    n,
    [...unexplained(done, [0, 1, 4]), ...stage.losses(), ...stage.aftermath(n % 3 === 0 ? 2 : n % 2)],
    code,
  );
}

/** Killed before call n, and the next command again before its call m. @returns whether the second kill happened, too */
export function doubleRound(stage: Stage, n: number, m: number): { found: string[]; killedTwice: boolean } {
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

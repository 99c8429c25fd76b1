import { type ChildProcess, fork } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { bk, PROJECT, repository } from '../support/bk.ts';
import type { DropAnswer, DropOrder } from '../support/dropper.ts';
import { mounted, needsVolumes } from '../support/mounts.ts';
import { atEnd } from '../support/temporary.ts';

/**
 * L04, git-annex 5.20151019: two repositories, each on a volume of its own, let go of the same content at once, in
 * processes of their own. Whatever the timing, one copy stays. BK_DROP_ROUNDS: how many rounds (the release takes 500).
 */
const ROUNDS = Number(process.env['BK_DROP_ROUNDS'] ?? 25);
/** One of so many rounds ends with a SIGKILL of one of the two. */
const KILL_EVERY = 7;

class Dropper {
  readonly root: string;
  #child: ChildProcess;

  constructor(root: string) {
    this.root = root;
    this.#child = this.#start();
    atEnd(() => this.#child.kill('SIGKILL'));
  }

  /** @param killAfterMs the process dies then, if it is not done before */
  async drop(order: DropOrder, killAfterMs?: number): Promise<DropAnswer> {
    const child = this.#child;
    const timer =
      killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    const answer = await new Promise<DropAnswer>((resolve) => {
      child.once('message', (message) => resolve(message as DropAnswer));
      child.once('exit', () => resolve({ path: order.path, dropped: false, reason: 'killed' }));
      child.send(order);
    });
    clearTimeout(timer);
    child.removeAllListeners();
    if (child.exitCode !== null || child.signalCode !== null || child.killed) this.#child = this.#start();
    return answer;
  }

  holds(file: string, text: string): boolean {
    const at = path.join(this.root, file);
    return fs.existsSync(at) && fs.readFileSync(at, 'utf8') === text;
  }

  #start(): ChildProcess {
    const script = path.join(PROJECT, 'test/support/dropper.ts');
    return fork(script, [this.root], {
      execArgv: ['--no-warnings'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }
}

const fileOf = (round: number) => `d${round % 7}/f${round}`;
const textOf = (round: number) => `the content of round ${round}\n`;

test(`two droppers at once, ${ROUNDS} rounds: never is the last copy gone`, {
  timeout: 60_000 + ROUNDS * 4_000,
}, async (context) => {
  needsVolumes(context);
  const [one, two] = twoRepositories();
  const tally = { one: 0, none: 0, killed: 0 };
  const reasons = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    const file = fileOf(round);
    const kill = round % KILL_EVERY === KILL_EVERY - 1 ? Math.random() * 60 : undefined;
    const answers = await Promise.all([
      one.drop({ path: file, waitMs: Math.random() * 15 }, kill),
      two.drop({ path: file, waitMs: Math.random() * 15 }),
    ]);
    const held = [one, two].filter((dropper) => dropper.holds(file, textOf(round))).length;
    const dropped = answers.filter((answer) => answer.dropped).length;
    expect(held, `round ${round}: ${JSON.stringify(answers)}`).toBeGreaterThan(0);
    expect(dropped).toBeLessThan(2);
    if (answers.some(({ reason }) => reason === 'killed')) tally.killed++;
    tally[dropped === 1 ? 'one' : 'none']++;
    for (const { reason } of answers)
      if (reason !== undefined) reasons.set(short(reason), (reasons.get(short(reason)) ?? 0) + 1);
  }
  process.stderr.write(`drop race: ${JSON.stringify({ rounds: ROUNDS, ...tally, reasons: [...reasons] })}\n`);
  // Rounds in which nothing could be dropped show nothing.
  expect(tally.one).toBeGreaterThan(ROUNDS / 10);
  for (const { root } of [one, two]) {
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
    expect(bk(['-C', root, 'check'])['problems']).toEqual([]);
  }
});

function twoRepositories(): [Dropper, Dropper] {
  const first = path.join(mounted('ext4'), 'one');
  const second = path.join(mounted('ext4'), 'two');
  for (let round = 0; round < ROUNDS; round++) {
    fs.mkdirSync(path.dirname(path.join(first, fileOf(round))), { recursive: true });
    fs.writeFileSync(path.join(first, fileOf(round)), textOf(round));
  }
  repository(first);
  bk(['-C', first, 'clone', first, second]);
  return [new Dropper(first), new Dropper(second)];
}

function short(reason: string): string {
  return /\((?:\w+: )?([^)]*)\)/.exec(reason)?.[1] ?? reason;
}

import { Stage } from './rounds.ts';
import type { Scenario } from './scenarios.ts';

/** Looks for what a seeded bug does with the same tools as the crash tests. @returns the oracle's findings */
export type Hunt = (stage: Stage, program: string) => string[];

/** The command as it is, no fault needed. */
export const plainly: Hunt = (stage) => {
  stage.disturbed({});
  return [...stage.losses(true), ...stage.aftermath(0)];
};

/** Kills one call after the other, spread over the run, until something is found. */
export const killing: Hunt = (stage) => {
  const spread = stage.ops.map(({ n }) => n).sort((a, b) => ((a * 7919) % 101) - ((b * 7919) % 101));
  for (const n of spread) {
    stage.disturbed({ KILL_AT: String(n) });
    const found = [...stage.losses(), ...stage.aftermath(1)];
    if (found.length > 0) return found;
  }
  return [];
};

const stages = new Map<Scenario, Stage>();

/** A scenario is made ready once for all programs that are tried in it. */
export function stageFor(scenario: Scenario, program: string): Stage {
  const stage = stages.get(scenario) ?? new Stage(scenario);
  stages.set(scenario, stage);
  return stage.testing(program);
}

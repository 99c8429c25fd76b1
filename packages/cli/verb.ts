import type { Argv } from 'yargs';
import type { Session } from './session.ts';

/** A verb as the command line knows it; what it does is in repo. */
export interface Verb<A = unknown> {
  /** As yargs reads it: `log [path]`, `restore <paths..>`. */
  readonly usage: string;
  /** For people, where `usage` says too little. */
  readonly synopsis?: string;
  /** One line for the list of verbs. */
  readonly about: string;
  /** Command lines with what they do; at least one. */
  readonly examples: readonly (readonly [command: string, does: string])[];
  options(yargs: Argv): Argv<A>;
  /** @returns the exit code: 0 done, 1 the answer is "no" or "not all" */
  run(options: A, session: Session): number | Promise<number>;
}

/** Every verb's options have these too: the arguments that stood after `--`. */
export interface LiteralArguments {
  readonly literal: readonly string[];
}

/** Checks that a verb's options and what it uses of them agree; the list of verbs need not know them. */
export function verb<A>(definition: Verb<A>): Verb {
  return definition as unknown as Verb;
}

export function nameOf({ usage }: { readonly usage: string }): string {
  return usage.split(' ', 1)[0] ?? usage;
}

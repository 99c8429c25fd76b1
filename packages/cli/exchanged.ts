import { table } from './format.ts';
import { type Style, safe } from './terminal.ts';

interface Answers {
  readonly remotes: readonly { readonly reason?: string; readonly left?: readonly unknown[] }[];
  readonly unreachable: readonly { readonly name: string; readonly reason: string }[];
}

/**
 * Exit code of a verb that asked remotes (SPEC 3): 4 if one that was named, or all of them, could not be reached; 1 if
 * not all went well.
 */
export function exchangeCode({ remotes, unreachable }: Answers, isNamed: boolean): number {
  if (unreachable.length > 0 && (isNamed || remotes.length === 0)) return 4;
  const short = remotes.some(({ reason, left = [] }) => reason !== undefined || left.length > 0);
  return unreachable.length > 0 || short ? 1 : 0;
}

/** A line for each remote, then those that could not be reached. */
export function exchangeText(
  rows: readonly (readonly string[])[],
  { unreachable }: Answers,
  style: Style,
): string {
  const missed = unreachable.map(({ name, reason }) => [
    safe(name),
    `${style('yellow', 'not reached')}: ${safe(reason)}`,
  ]);
  if (rows.length + missed.length === 0) return 'there are no remotes; see `bk remote add`\n';
  return table([...rows, ...missed]);
}

/** A commit as people see it. */
export function shortCommit(id: string | null): string {
  return id === null ? 'no commit' : id.slice(0, 10);
}

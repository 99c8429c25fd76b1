import { BkError, type RepoPath } from '@bk/core';
import type { ResolvedConflict, ResolveOptions, ResolveResult } from '@bk/repo';
import { leftText, missingText } from '../applied.ts';
import { MASS_DELETE } from '../deletions.ts';
import { counted, table } from '../format.ts';
import { type Style, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

export const resolve = verb({
  usage: 'resolve [paths..]',
  synopsis: 'resolve PATH… | --all',
  about: 'end conflicts: keep the version at PATH; the others go to the safety net',
  examples: [
    ['bk resolve boat.jpg', 'what is at boat.jpg stays, the other version goes to the net'],
    ['bk resolve "boat (conflict laptop 2026-05-11).jpg"', 'this one stays, and gets the name boat.jpg'],
    ['bk resolve boat.jpg --keep both', 'both stay, as two files'],
    ['bk resolve boat.jpg --keep laptop', 'the version that the laptop made stays'],
    ['bk resolve --all --keep newest', 'of every conflict the newest'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', {
        type: 'string',
        array: true,
        describe: 'versions to keep, or folders with conflicts in them',
      })
      .option('keep', {
        type: 'string',
        requiresArg: true,
        describe: 'both, newest, deletion or the name of a repository',
      })
      .option('all', { type: 'boolean', describe: 'every conflict that there is' })
      .options(MASS_DELETE)
      .option('dry-run', { type: 'boolean', describe: 'only say what would be kept' }),
  async run(given, session) {
    const { paths = [], keep, all = false } = given;
    if (all && paths.length > 0) throw new BkError('usage', '--all and paths exclude each other');
    const { resolve } = await import('@bk/repo');
    const repository = await session.open();
    const options: ResolveOptions = {
      paths: session.paths(repository, paths),
      all,
      allowMassDelete: given['allow-mass-delete'] === true,
      dryRun: given['dry-run'] === true,
      ...(keep !== undefined && { keep }),
    };
    const result = await resolve(repository, options, session.context);
    const text = (done: ResolveResult) => resolvedText(done, session.style, options.dryRun === true);
    session.result(result, text, ['path', 'kept', 'removed']);
    return result.left.length + result.missing.length > 0 ? 1 : 0;
  },
});

function resolvedText(done: ResolveResult, style: Style, dryRun: boolean): string {
  const rows = done.resolved.flatMap((one) => resolvedRows(one, style));
  const resolved = counted(done.resolved.length, 'conflict');
  const what = dryRun ? `${resolved} would be resolved` : `${resolved} resolved`;
  const rest = done.conflicts.length === 0 ? '' : `, ${done.conflicts.length} left`;
  const last = done.resolved.length === 0 ? 'no conflicts' : `${what}${rest}`;
  return `${table(rows)}${last}\n${missingText(done.missing, style)}${leftText(done.left, style)}`;
}

function resolvedRows({ kept, removed }: ResolvedConflict, style: Style): string[][] {
  const other = (path: RepoPath) =>
    kept.includes(path) ? `what was at ${shownPath(path)}` : shownPath(path);
  return [
    ...kept.map((path) => [style('green', 'kept'), shownPath(path)]),
    ...removed.map((path) => [style('dim', 'to the net'), other(path)]),
  ];
}

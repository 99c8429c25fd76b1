import { BkError } from '@bk/core';
import type { MergeOptions, MergeResult } from '@bk/repo';
import { appliedText, countsOf, keptPaths, leftText, missingText } from '../applied.ts';
import { conflictsText } from '../conflicts.ts';
import { correspondencesText } from '../correspondences.ts';
import { MASS_DELETE } from '../deletions.ts';
import { shortCommit } from '../exchanged.ts';
import { count, counted, table } from '../format.ts';
import type { Session } from '../session.ts';
import { type Style, safe } from '../terminal.ts';
import { verb } from '../verb.ts';
import { commitText } from './commit.ts';

export const merge = verb({
  usage: 'merge [from]',
  synopsis: 'merge [REMOTE | REV]',
  about: 'make one history of two, and let the folder follow; keeps both where both changed the same',
  examples: [
    ['bk merge laptop', 'what was done on the laptop is done here too, moves as moves'],
    ['bk merge', 'with all remotes, one after the other'],
    ['bk merge laptop --dry-run', 'say what would be done'],
    ['bk merge laptop --commit', 'commit what was changed here, first'],
    ['bk merge old --layout ours', 'never met before: what old has too goes to where it is here, by renames'],
  ],
  options: (yargs) =>
    yargs
      .positional('from', { type: 'string', describe: 'a remote, a commit id or a date; none: all remotes' })
      .option('commit', { type: 'boolean', describe: 'commit the changes that there are here, first' })
      .option('message', {
        alias: 'm',
        type: 'string',
        requiresArg: true,
        describe: 'with --commit: what was done',
      })
      .option('layout', {
        choices: ['ours', 'theirs'] as const,
        requiresArg: true,
        describe: 'at the first meeting of two collections: where equal files are to be',
      })
      .options(MASS_DELETE)
      .option('dry-run', { type: 'boolean', describe: 'only say what would be done' })
      .option('long', { type: 'boolean', describe: 'list every line, however many' }),
  async run(given, session) {
    const { merge } = await import('@bk/repo');
    const { from, message, layout } = given;
    if (layout !== undefined && from === undefined)
      throw new BkError('usage', `--layout ${layout}: of which other collection?`, {
        hint: 'name the remote: `bk merge NAME --layout ours`',
      });
    const options: MergeOptions = {
      commit: given.commit === true,
      allowMassDelete: given['allow-mass-delete'] === true,
      dryRun: given['dry-run'] === true,
      ...(from !== undefined && { from }),
      ...(message !== undefined && { message }),
      ...(layout !== undefined && { layout }),
    };
    const result = await merge(await session.open(), options, session.context);
    const printing = { dryRun: options.dryRun === true, long: given.long === true };
    session.result(result, (done) => mergeText(done, session, printing), PATHS);
    return codeOf(result);
  },
});

const PATHS = ['path', 'from', 'to', 'kept', 'ours', 'theirs'];

function codeOf({ conflicts, missing, left, merged, committed }: MergeResult): number {
  const short = [conflicts, missing, left, committed?.unreadable ?? []].some((list) => list.length > 0);
  return short || merged.some(({ reason }) => reason !== undefined) ? 1 : 0;
}

interface Printing {
  readonly dryRun: boolean;
  readonly long: boolean;
}

function mergeText(done: MergeResult, session: Session, { dryRun, long }: Printing): string {
  const { style } = session;
  if (done.merged.length === 0) return 'there are no remotes; see `bk remote add`\n';
  const without = keptPaths(done.conflicts);
  const counts = countsOf(done).join(', ');
  const committed = done.committed === undefined ? '' : commitText(done.committed, session, long);
  const news = [
    committed,
    table(done.merged.map((one) => [style('bold', safe(one.name)), headline(one, style, dryRun)])),
    ...done.merged.map((one) => metText(one, { style, long, dryRun })),
    appliedText(done, { style, long, without }),
    counts === '' ? '' : `${counts}\n`,
  ];
  return [
    ...(session.options.quiet ? [] : news),
    conflictsText(done.conflicts, style, dryRun),
    missingText(done.missing, style),
    leftText(done.left, style),
  ].join('');
}

function headline(one: MergeResult['merged'][number], style: Style, dryRun: boolean): string {
  const { result, commit, head, reason } = one;
  const why = reason === undefined ? [] : [`${style('yellow', 'note')}: ${safe(reason)}`];
  const done = {
    'up-to-date': 'nothing new',
    'fast-forward': dryRun ? `would follow to ${shortCommit(head)}` : `followed to ${shortCommit(commit)}`,
    merged: dryRun ? `would be merged: ${shortCommit(head)}` : `merged as ${shortCommit(commit)}`,
  }[result];
  return [done, ...why].join('; ');
}

/** What is to be said where two histories met for the first time. */
function metText(
  { name, correspondences = [], layout }: MergeResult['merged'][number],
  { style, long, dryRun }: Printing & { readonly style: Style },
): string {
  const folders = correspondencesText(name, correspondences, { style, long });
  if (layout === undefined) return folders === '' || !dryRun ? folders : `${folders}next: ${LAYOUT_HINT}\n`;
  const { side, moved, unified } = layout;
  const isTheirs = side === 'theirs';
  const took = dryRun ? 'would take over' : 'took over';
  const what = isTheirs
    ? `${safe(name)} ${took} our layout`
    : `this side ${took} the layout of ${safe(name)}`;
  const one = `${count(unified)} one with ${isTheirs ? 'ours' : 'theirs'}`;
  return `${folders}${what}: ${counted(moved, 'file')} moved, ${one}\n`;
}

const LAYOUT_HINT =
  'with --layout ours, or theirs, equal files come to one place by renames; only this first merge can do that';

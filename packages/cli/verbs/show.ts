import { type RepoPath, splitRevPath } from '@bk/core';
import type { ShownCommit, ShownRecord, ShowResult } from '@bk/repo';
import { changesText, summaryText } from '../changes.ts';
import { localTime } from '../format.ts';
import { plainPaths } from '../json.ts';
import type { Session } from '../session.ts';
import { safe, safeLines, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';
import { listing } from './ls.ts';

export const show = verb({
  usage: 'show [what]',
  synopsis: 'show REV[:PATH]',
  about: 'a commit, the record of a file, or a folder of it',
  examples: [
    ['bk show HEAD', 'what the last commit changed'],
    ['bk show HEAD:cat.jpg', 'all that is recorded of a file'],
    ['bk show yesterday:Pictures', 'what was in a folder'],
  ],
  options: (yargs) =>
    yargs
      .positional('what', { type: 'string', describe: 'HEAD, a commit id or a date; then `:` and a path' })
      .option('long', { type: 'boolean', describe: 'list every file, also in moved folders' }),
  async run({ what, long }, session) {
    const { rev, path: given } = splitRevPath(what ?? 'HEAD');
    const { show } = await import('@bk/repo');
    const repository = await session.open();
    const path =
      given === undefined ? undefined : (session.path(repository, given === '' ? '.' : given) as RepoPath);
    const result = show(repository, { rev, ...(path !== undefined && { path }) }, session.context);
    if ('record' in result) {
      // A record's own fields are the person's: nothing in them is taken for a path of ours.
      const document = { ...(plainPaths({ path: result.path }, ['path']) as object), record: result.record };
      session.result(document, () => recordText(result, session), []);
    } else {
      session.result(
        result,
        (shown) => showText(shown, session, { long: long === true, folder: path ?? '' }),
        ['path', 'from'],
      );
    }
    return 0;
  },
});

interface Shape {
  readonly long: boolean;
  readonly folder: string;
}

function showText(
  result: Exclude<ShowResult, ShownRecord>,
  session: Session,
  { long, folder }: Shape,
): string {
  if ('entries' in result) return listing(result, { folder, long: true, style: session.style });
  return commitText(result, session, long);
}

function commitText(shown: ShownCommit, { style }: Session, long: boolean): string {
  const { commit, parents, author, time, message, repository, deletions, changes, summary } = shown;
  const lines = [
    `${style('yellow', commit)}`,
    ...parents.map((parent) => `parent      ${parent}`),
    `author      ${safe(author)}`,
    `time        ${localTime(time)}`,
    ...(repository === undefined ? [] : [`repository  ${safe(repository.name)} (${repository.id})`]),
    ...(deletions === undefined ? [] : [`deletions   ${deletions}`]),
    '',
    ...safeLines(message.trimEnd())
      .split('\n')
      .map((line) => `    ${line}`.trimEnd()),
    '',
  ];
  return `${lines.join('\n')}\n${changesText(changes, style, long)}${summaryText(summary)}\n`;
}

function recordText({ path, record }: ShownRecord, { style }: Session): string {
  return `${style('bold', shownPath(path))}\n${safeLines(JSON.stringify(record, null, 1))}\n`;
}

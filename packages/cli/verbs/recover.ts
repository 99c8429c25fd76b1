import path from 'node:path';
import type { RepoPath } from '@bk/core';
import type { RecoverableResult, RecoverOptions, RecoverResult } from '@bk/repo';
import { counted, size, table } from '../format.ts';
import { listText } from '../lists.ts';
import type { Session } from '../session.ts';
import { type Style, safe, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

/** What of a recovered file is a path. */
const PATHS = ['path', 'was', 'of'];

export const recover = verb({
  usage: 'recover [paths..]',
  about: 'bring back deleted or overwritten files, never over anything',
  examples: [
    ['bk recover --list', 'what could be brought back, and from where'],
    ['bk recover Pictures/2019', 'everything that was deleted below a folder'],
    ['bk recover notes.txt --at HEAD~2', 'a file as it was two commits ago, beside the one that is there'],
    ['bk recover --all --to /mnt/rescue', 'everything that was deleted, into another folder'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, describe: 'files, or folders with all below them' })
      .option('list', { type: 'boolean', describe: 'only list what could be brought back' })
      .option('all', { type: 'boolean', describe: 'everything that was deleted' })
      .option('at', {
        type: 'string',
        requiresArg: true,
        describe: 'as it was at HEAD, a commit id or a date',
      })
      .option('to', { type: 'string', requiresArg: true, describe: 'a folder to put everything below' })
      .option('dry-run', { type: 'boolean', describe: 'print what would be brought back' }),
  async run(given, session) {
    const { listRecoverable, recover } = await import('@bk/repo');
    const repository = await session.open();
    const options: RecoverOptions = {
      paths: session.paths(repository, given.paths),
      all: given.all === true,
      dryRun: given['dry-run'] === true,
      ...(given.at !== undefined && { at: given.at }),
      ...(given.to !== undefined && { to: path.resolve(session.directory, given.to) }),
    };
    if (given.list === true) {
      const result = await listRecoverable(repository, options, session.context);
      session.result(result, (list) => recoverableText(list, session.style), ['path', 'of']);
      return 0;
    }
    const result = await recover(repository, options, session.context);
    session.result(result, (done) => recoveredText(done, session, options.dryRun === true), PATHS);
    return result.failed.length > 0 ? 1 : 0;
  },
});

const SOURCES: ReadonlyMap<string, string> = new Map([
  ['safety', 'the safety net'],
  ['folder', 'an equal file here'],
  ['history', 'the history'],
]);

/** Any other is a remote, by its name. */
function sourceText(from: string): string {
  return `from ${SOURCES.get(from) ?? safe(from)}`;
}

function recoverableText({ recoverable, unreachable }: RecoverableResult, style: Style): string {
  const away = unreachableText(unreachable, style);
  if (recoverable.length === 0) return `nothing to bring back${away === '' ? '' : ' now'}\n${away}`;
  const rows = recoverable.map(({ path, size: bytes, reason, confirmed, from, deletedIn, of }) => [
    confirmed ? `${reason} (confirmed)` : reason,
    size(bytes),
    `${shownPath(path)}${companionText(of)}`,
    style('dim', `${sourceText(from)}${deletedIn === null ? '' : `, gone in ${deletedIn.slice(0, 10)}`}`),
  ]);
  return `${table(rows, [1])}${away}`;
}

function companionText(of: RepoPath | undefined): string {
  return of === undefined ? '' : ` (companion of ${shownPath(of)})`;
}

/** A line for each place, with how much is there. */
function unreachableText(list: RecoverableResult['unreachable'], style: Style): string {
  const places = new Map<string, number>();
  for (const { reason } of list) places.set(reason, (places.get(reason) ?? 0) + 1);
  return [...places]
    .map(([reason, files]) => `${style('dim', `${counted(files, 'more version')}: ${safe(reason)}`)}\n`)
    .join('');
}

/** Also what `restore` did. */
export function recoveredText(result: RecoverResult, session: Session, dryRun: boolean): string {
  const { style } = session;
  const rows = result.recovered.map(({ path, from, was, of }) => {
    const moved = was === undefined || was === path ? '' : ` (was ${shownPath(was)})`;
    return [`${shownPath(path)}${moved}${companionText(of)}`, style('dim', sourceText(from))];
  });
  const failed = listText(style('red', 'could not be brought back'), result.failed, style);
  const done = `${counted(result.recovered.length, 'file')} ${dryRun ? 'would be brought back' : 'brought back'}\n`;
  return session.options.quiet ? failed : `${table(rows)}${failed}${done}`;
}

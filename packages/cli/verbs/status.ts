import type { StatusResult } from '@bk/repo';
import { changesText, problemsText, summaryText } from '../changes.ts';
import type { Session } from '../session.ts';
import { safe } from '../terminal.ts';
import { verb } from '../verb.ts';

export const status = verb({
  usage: 'status [paths..]',
  about: 'what changed since the last commit',
  examples: [
    ['bk status', 'everything that changed; moved folders as one line'],
    ['bk status Pictures/2019 --long', 'every file that changed below a folder'],
    ['bk status --rehash', 'believe no time stamp: read every file again'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, describe: 'only what changed at or below these' })
      .option('rehash', { type: 'boolean', describe: 'read every file, whatever its times say' })
      .option('long', { type: 'boolean', describe: 'list every file, also in moved folders' }),
  async run({ paths, rehash, long }, session) {
    const { status } = await import('@bk/repo');
    const repository = await session.open();
    const options = { paths: session.paths(repository, paths), rehash: rehash === true };
    const result = await status(repository, options, session.context);
    session.result(result, (found) => statusText(found, session, long === true), ['path', 'from']);
    return result.unreadable.length > 0 ? 1 : 0;
  },
});

function statusText(result: StatusResult, session: Session, long: boolean): string {
  const { style } = session;
  const problems = [
    problemsText('could not be read, the last commit’s state stays:', result.unreadable, style),
    problemsText('not tracked:', result.skipped, style),
  ].join('');
  const changes = changesText(result.changes, style, long);
  if (session.options.quiet) return changes;
  const { name, root } = result.repository;
  const place = `${style('bold', safe(name))}  ${style('dim', safe(root))}`;
  const since = result.head === null ? 'no commit yet' : `last commit ${result.head.slice(0, 10)}`;
  const summary = result.changes.length === 0 ? 'nothing changed' : summaryText(result.summary);
  return `${place}  ${style('dim', since)}\n${changes}${summary}\n${problems}`;
}

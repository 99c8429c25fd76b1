import type { FetchedRemote } from '@bk/repo';
import { exchangeCode, exchangeText, shortCommit } from '../exchanged.ts';
import { counted } from '../format.ts';
import { type Style, safe } from '../terminal.ts';
import { verb } from '../verb.ts';

export const fetch = verb({
  usage: 'fetch [remotes..]',
  about: 'learn what other repositories did and hold; changes no file here',
  examples: [
    ['bk fetch', 'ask all remotes that are within reach'],
    ['bk fetch disk2', 'ask one; exit code 4 if it cannot be reached'],
  ],
  options: (yargs) =>
    yargs.positional('remotes', { type: 'string', array: true, describe: 'names of remotes; none: all' }),
  async run({ remotes = [] }, session) {
    const { fetch } = await import('@bk/repo');
    const result = await fetch(await session.open(), { remotes }, session.context);
    session.result(
      result,
      (done) =>
        exchangeText(
          done.remotes.map((one) => fetchedRow(one, session.style)),
          done,
          session.style,
        ),
      [],
    );
    const doubted = result.remotes.some(({ presences }) =>
      presences.some(({ reason }) => reason !== undefined),
    );
    return Math.max(exchangeCode(result, remotes.length > 0), doubted ? 1 : 0);
  },
});

function fetchedRow(remote: FetchedRemote, style: Style): string[] {
  const told = fetchedNews(remote, style);
  return [style('bold', safe(remote.name)), told.length === 0 ? 'nothing new' : told.join('; ')];
}

export function fetchedNews(remote: FetchedRemote, style: Style): string[] {
  const { head, before, moved, rewritten, presences, reason } = remote;
  const told: string[] = [];
  if (reason !== undefined) told.push(style('red', safe(reason)));
  if (moved) told.push(before === null ? shortCommit(head) : `${shortCommit(before)} → ${shortCommit(head)}`);
  if (rewritten) told.push(style('yellow', 'its history was rewritten; the old head is kept'));
  const news = presences.filter((one) => one.moved).map((one) => safe(one.name ?? one.id));
  if (news.length > 0) told.push(style('dim', `presence of ${listed(news)}`));
  for (const { id, name: whose, reason: why } of presences) {
    if (why !== undefined)
      told.push(`${style('yellow', 'not believed')}: presence of ${safe(whose ?? id)}: ${safe(why)}`);
  }
  return told;
}

function listed(names: readonly string[]): string {
  return names.length <= 5 ? names.join(', ') : counted(names.length, 'repository', 'repositories');
}

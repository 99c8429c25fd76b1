import type { SyncedRemote, SyncOptions, SyncResult } from '@bk/repo';
import { exchangeCode, exchangeText, shortCommit } from '../exchanged.ts';
import { count, counted, size } from '../format.ts';
import { listText } from '../lists.ts';
import type { Session } from '../session.ts';
import { type Style, safe } from '../terminal.ts';
import { verb } from '../verb.ts';
import { commitText, policyOf } from './commit.ts';
import { fetchedNews } from './fetch.ts';
import { notSentText, pushedNews } from './push.ts';

export const sync = verb({
  usage: 'sync [remotes..]',
  about: 'commit, follow what others did, and send what they lack',
  examples: [
    ['bk sync', 'with all remotes that are within reach'],
    ['bk sync disk2 -m "sorted 2019"', 'with one, and with a message for the commit'],
    ['bk sync --dry-run', 'say what would be done'],
  ],
  options: (yargs) =>
    yargs
      .positional('remotes', { type: 'string', array: true, describe: 'names of remotes; none: all' })
      .option('message', { alias: 'm', type: 'string', requiresArg: true, describe: 'what was done' })
      .option('confirm-deletions', {
        type: 'boolean',
        describe: 'the deletions are meant: the net may let go',
      })
      .option('keep-deletions', { type: 'boolean', describe: 'the net keeps what was deleted (the default)' })
      .option('allow-mass-delete', {
        type: 'boolean',
        describe: 'go on though very much is deleted or replaced',
      })
      .option('dry-run', { type: 'boolean', describe: 'only say what would be done' }),
  async run(given, session) {
    const { sync } = await import('@bk/repo');
    const { remotes = [], message } = given;
    const deletions = policyOf(given['confirm-deletions'] === true, given['keep-deletions'] === true);
    const options: SyncOptions = {
      remotes,
      allowMassDelete: given['allow-mass-delete'] === true,
      dryRun: given['dry-run'] === true,
      ...(deletions !== undefined && { deletions }),
      ...(message !== undefined && { message }),
    };
    const result = await sync(await session.open(), options, session.context);
    session.result(result, (done) => syncText(done, session, options.dryRun === true), ['path', 'from']);
    return codeOf(result, remotes.length > 0);
  },
});

function codeOf(result: SyncResult, isNamed: boolean): number {
  const { remotes, pushed, committed } = result;
  const reached = exchangeCode(result, isNamed);
  if (reached === 4) return 4;
  if (remotes.some(({ refused }) => refused)) return 3;
  const short = [
    committed.unreadable.length > 0,
    pushed.some(({ reason, left }) => reason !== undefined || left.length > 0),
    remotes.some(
      ({ advanced, presences }) => isShort(advanced) || presences.some((one) => one.reason !== undefined),
    ),
  ];
  return Math.max(reached, short.includes(true) ? 1 : 0);
}

function isShort(advanced: SyncedRemote['advanced']): boolean {
  return advanced !== undefined && advanced.missing.length + advanced.conflicts.length > 0;
}

function syncText(done: SyncResult, session: Session, dryRun: boolean): string {
  const { style } = session;
  // What kept the histories apart was said already.
  const pushed = new Map(done.pushed.map((one) => [one.name, one]));
  for (const { name, reason } of done.remotes) if (reason !== undefined) pushed.delete(name);
  const rows = done.remotes.map((remote) => {
    const sent = pushed.get(remote.name);
    const told = [
      ...fetchedNews(remote, style),
      ...followedNews(remote, dryRun),
      ...(sent === undefined ? [] : pushedNews(sent, style, dryRun)),
    ];
    return [style('bold', safe(remote.name)), told.length === 0 ? 'up to date' : told.join('; ')];
  });
  const lists = done.remotes.map(({ advanced }) => advancedLists(advanced, style));
  const notSent = [...pushed.values()].map((one) => notSentText(one, style));
  const more =
    dryRun && done.committed.changes.length > 0 ? 'what would be committed would be sent too\n' : '';
  return (
    commitText(done.committed, session, false) +
    exchangeText(rows, done, style) +
    lists.join('') +
    notSent.join('') +
    more
  );
}

function followedNews({ advanced }: SyncedRemote, dryRun: boolean): string[] {
  if (advanced === undefined || advanced.result === 'up-to-date') return [];
  const { renamed, copied, updated, deleted } = advanced.applied;
  const counts = [
    [renamed, 'moved'],
    [copied, 'new'],
    [updated, 'updated'],
    [deleted, 'deleted'],
  ] as const;
  const told = counts.filter(([n]) => n > 0).map(([n, what]) => `${count(n)} ${what}`);
  const { files, bytes } = advanced.transferred;
  if (files > 0) told.push(`${counted(files, 'content')} fetched, ${size(bytes)}`);
  const verbed = dryRun ? 'would follow to' : 'followed to';
  return [[`${verbed} ${shortCommit(advanced.commit)}`, ...told].join(', ')];
}

function advancedLists(advanced: SyncedRemote['advanced'], style: Style): string {
  if (advanced === undefined) return '';
  return (
    listText('missing, no copy can be reached', advanced.missing, style) +
    listText('left as it is', advanced.conflicts, style)
  );
}

import type { PathProblem } from '@bk/core';
import type { MergedOne, PushedRemote, SyncedRemote, SyncOptions, SyncResult } from '@bk/repo';
import { appliedText, countsOf, keptPaths, leftText, missingText } from '../applied.ts';
import { conflictsText } from '../conflicts.ts';
import { DELETIONS, policyOf } from '../deletions.ts';
import { exchangeCode, exchangeText, shortCommit } from '../exchanged.ts';
import type { Session } from '../session.ts';
import { type Style, safe } from '../terminal.ts';
import { verb } from '../verb.ts';
import { commitText } from './commit.ts';
import { fetchedNews } from './fetch.ts';
import { notSentText, pushedNews } from './push.ts';

export const sync = verb({
  usage: 'sync [remotes..]',
  about: 'commit, merge what others did, and send what they lack',
  examples: [
    ['bk sync', 'with all remotes that are within reach'],
    ['bk sync disk2 -m "sorted 2019"', 'with one, and with a message for the commit'],
    ['bk sync --dry-run', 'say what would be done'],
  ],
  options: (yargs) =>
    yargs
      .positional('remotes', { type: 'string', array: true, describe: 'names of remotes; none: all' })
      .option('message', { alias: 'm', type: 'string', requiresArg: true, describe: 'what was done' })
      .options(DELETIONS)
      .option('dry-run', { type: 'boolean', describe: 'only say what would be done' })
      .option('long', { type: 'boolean', describe: 'list every line, however many' }),
  async run(given, session) {
    const { sync } = await import('@bk/repo');
    const { remotes = [], message } = given;
    const deletions = policyOf(given);
    const options: SyncOptions = {
      remotes,
      allowMassDelete: given['allow-mass-delete'] === true,
      dryRun: given['dry-run'] === true,
      ...(deletions !== undefined && { deletions }),
      ...(message !== undefined && { message }),
    };
    const result = await sync(await session.open(), options, session.context);
    const printing = { dryRun: options.dryRun === true, long: given.long === true };
    session.result(result, (done) => syncText(done, session, printing), ['path', 'from', 'to', 'kept']);
    return codeOf(result, remotes.length > 0, printing.dryRun);
  },
});

/** What this repository did to follow a remote, be it a fast-forward or a merge. */
interface Done
  extends Pick<MergedOne, 'applied' | 'moved' | 'changed' | 'transferred' | 'missing' | 'conflicts'> {
  readonly left: readonly PathProblem[];
}

function doneOf({ advanced, merged }: SyncedRemote): Done | undefined {
  if (merged !== undefined || advanced === undefined) return merged;
  return { ...advanced, conflicts: [], left: advanced.conflicts };
}

/** What was sent to each; why a remote and this repository are apart is said once, and not of what would be merged. */
function sendings({ remotes, pushed }: SyncResult, dryRun: boolean): Map<string, PushedRemote> {
  const apart = remotes.filter(
    ({ reason, merged }) => reason !== undefined || (dryRun && merged !== undefined),
  );
  const told = new Set(apart.map(({ name }) => name));
  return new Map(pushed.filter(({ name }) => !told.has(name)).map((one) => [one.name, one]));
}

function codeOf(result: SyncResult, isNamed: boolean, dryRun: boolean): number {
  const { remotes, committed } = result;
  const reached = exchangeCode(result, isNamed);
  if (reached === 4) return 4;
  if (remotes.some(({ refused }) => refused)) return 3;
  const pushed = [...sendings(result, dryRun).values()];
  const short = [
    committed.unreadable.length > 0,
    pushed.some(({ reason, left }) => reason !== undefined || left.length > 0),
    remotes.some((remote) => isShort(remote)),
  ];
  return Math.max(reached, short.includes(true) ? 1 : 0);
}

function isShort(remote: SyncedRemote): boolean {
  const { missing = [], conflicts = [], left = [] } = doneOf(remote) ?? {};
  const doubted = remote.presences.some(({ reason }) => reason !== undefined);
  return doubted || missing.length + conflicts.length + left.length > 0;
}

interface Printing {
  readonly dryRun: boolean;
  readonly long: boolean;
}

function syncText(done: SyncResult, session: Session, printing: Printing): string {
  const { style } = session;
  const { dryRun } = printing;
  const pushed = sendings(done, dryRun);
  const rows = done.remotes.map((remote) => {
    const sent = pushed.get(remote.name);
    const told = [
      ...fetchedNews(remote, style),
      ...followedNews(remote, dryRun),
      ...(sent === undefined ? [] : pushedNews(sent, style, dryRun)),
    ];
    return [style('bold', safe(remote.name)), told.length === 0 ? 'up to date' : told.join('; ')];
  });
  const more =
    dryRun && done.committed.changes.length > 0 ? 'what would be committed would be sent too\n' : '';
  return [
    commitText(done.committed, session, printing.long),
    exchangeText(rows, done, style),
    ...done.remotes.map((remote) => doneText(remote, style, printing)),
    ...[...pushed.values()].map((one) => notSentText(one, style)),
    more,
  ].join('');
}

function followedNews(remote: SyncedRemote, dryRun: boolean): string[] {
  const { advanced, merged, head } = remote;
  const done = doneOf(remote);
  if (done === undefined || advanced?.result === 'up-to-date') return [];
  const to = shortCommit(merged === undefined ? (advanced?.commit ?? null) : merged.commit);
  const followed = dryRun ? `would follow to ${to}` : `followed to ${to}`;
  const joined = dryRun ? `would be merged: ${shortCommit(head)}` : `merged as ${to}`;
  return [[merged === undefined ? followed : joined, ...countsOf(done)].join(', ')];
}

function doneText(remote: SyncedRemote, style: Style, { dryRun, long }: Printing): string {
  const done = doneOf(remote);
  if (done === undefined) return '';
  const without = keptPaths(done.conflicts);
  return [
    appliedText(done, { style, long, without }),
    conflictsText(done.conflicts, style, dryRun),
    missingText(done.missing, style),
    leftText(done.left, style),
  ].join('');
}

import type { Change, DeletionPolicy } from '@bk/core';
import type { CommitOptions, CommitResult } from '@bk/repo';
import { changesText, problemsText, summaryText } from '../changes.ts';
import { DELETIONS, policyOf } from '../deletions.ts';
import { counted } from '../format.ts';
import type { Session } from '../session.ts';
import { verb } from '../verb.ts';

export const commit = verb({
  usage: 'commit [paths..]',
  about: 'record the state of the folder and protect what is in it',
  examples: [
    ['bk commit -m "sorted 2019"', 'everything that changed'],
    ['bk commit --confirm-deletions', 'what was deleted may leave the safety net'],
    ['bk commit --dry-run', 'say what would be committed, change nothing'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, describe: 'only what is at or below these' })
      .option('message', { alias: 'm', type: 'string', requiresArg: true, describe: 'what was done' })
      .options(DELETIONS)
      .option('dry-run', { type: 'boolean', describe: 'print what would be committed' })
      .option('long', { type: 'boolean', describe: 'list every file, also in moved folders' }),
  async run(given, session) {
    const deletions = policyOf(given);
    const { commit } = await import('@bk/repo');
    const repository = await session.open();
    const options: CommitOptions = {
      paths: session.paths(repository, given.paths),
      allowMassDelete: given['allow-mass-delete'] === true,
      dryRun: given['dry-run'] === true,
      confirm: (deleted) => askAbout(deleted, session),
      ...(given.message !== undefined && { message: given.message }),
      ...(deletions !== undefined && { deletions }),
    };
    const result = await commit(repository, options, session.context);
    const text = (made: CommitResult) => commitText(made, session, given.long === true);
    session.result(result, text, ['path', 'from']);
    return result.unreadable.length > 0 ? 1 : 0;
  },
});

/** Without a terminal nobody can confirm, so the net keeps what was deleted. */
async function askAbout(deleted: readonly Change[], session: Session): Promise<DeletionPolicy> {
  const listed = changesText(deleted, session.style);
  const question = `${listed}Are ${counted(deleted.length, 'deletion')} meant, so that the safety net may let go?`;
  return (await session.confirm(question)) === true ? 'confirmed' : 'kept';
}

export function commitText(result: CommitResult, session: Session, long: boolean): string {
  const { style } = session;
  const changes = session.options.quiet ? '' : changesText(result.changes, style, long);
  const problems = [
    problemsText('could not be read, the last commit’s state stays:', result.unreadable, style),
    problemsText('not tracked:', result.skipped, style),
    problemsText('begin as media and are broken:', result.unparsed, style),
  ].join('');
  return session.options.quiet
    ? problems
    : `${changes}${headline(result)}\n${deletionsText(result)}${problems}`;
}

function headline({ commit, changes, summary }: CommitResult): string {
  if (changes.length === 0) return 'nothing changed';
  return commit === null
    ? `would commit: ${summaryText(summary)}`
    : `${commit.slice(0, 10)}  ${summaryText(summary)}`;
}

function deletionsText({ deletions, unprotected, overwritten }: CommitResult): string {
  const lines: string[] = [];
  if (deletions.confirmed > 0) lines.push(`${counted(deletions.confirmed, 'deletion')} confirmed`);
  if (deletions.kept > 0) {
    lines.push(
      `${counted(deletions.kept, 'deletion')} kept in the safety net; \`bk recover\` brings them back`,
    );
  }
  if (unprotected > 0)
    lines.push(`${counted(unprotected, 'file')} unprotected: the net can neither link nor copy them`);
  if (overwritten > 0)
    lines.push(
      `${counted(overwritten, 'earlier version')} lost: written over in place, which links do not protect against`,
    );
  return lines.map((line) => `${line}\n`).join('');
}

import type { RepoPath } from '@bk/core';
import type { Repository } from '@bk/repo';
import { changesText } from '../changes.ts';
import { revisionsAndPaths } from '../revisions.ts';
import type { Session } from '../session.ts';
import { type LiteralArguments, verb } from '../verb.ts';

export const diff = verb({
  usage: 'diff [what..]',
  synopsis: 'diff [REV [REV]] [PATH…]',
  about: 'changes between two states',
  examples: [
    ['bk diff', 'from the last commit to the folder as it is'],
    ['bk diff yesterday', 'from the last commit of yesterday to the folder as it is'],
    ['bk diff HEAD~5 HEAD Pictures', 'what five commits changed below a folder'],
  ],
  options: (yargs) =>
    yargs
      .positional('what', {
        type: 'string',
        array: true,
        describe: 'at most two states (HEAD, id, date), then paths',
      })
      .option('exit-code', { type: 'boolean', describe: 'exit with 1 if there are changes' })
      .option('long', { type: 'boolean', describe: 'list every file, also in moved folders' }),
  async run(given, session) {
    const { diff } = await import('@bk/repo');
    const repository = await session.open();
    const { literal } = given as unknown as LiteralArguments;
    const mixed = { given: given.what ?? [], literal: literal.length, most: 2 };
    const { revisions, paths } = await revisionsAndPaths(mixed, repository, session);
    const [from, to] = revisions;
    const options = {
      paths: await knownPaths(paths, repository, session),
      ...(from !== undefined && { from }),
      ...(to !== undefined && { to }),
    };
    const result = await diff(repository, options, session.context);
    const text = () => changesText(result.changes, session.style, given.long === true);
    session.result(result, text, ['path', 'from']);
    return given['exit-code'] === true && result.changes.length > 0 ? 1 : 0;
  },
});

/** A path that neither is nor was anywhere is more likely a misspelt revision. @throws BkError `not-found` */
async function knownPaths(
  list: readonly string[],
  repository: Repository,
  session: Session,
): Promise<RepoPath[]> {
  const { log } = await import('@bk/repo');
  const paths = session.paths(repository, list);
  for (const [i, path] of paths.entries()) {
    if (!session.exists(list[i] ?? '')) log(repository, { path, limit: 1 }, session.context);
  }
  return paths;
}

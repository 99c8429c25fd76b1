import type { LsEntry, LsResult } from '@bk/repo';
import { localTime, size, table } from '../format.ts';
import { revisionsAndPaths } from '../revisions.ts';
import { type Style, shownPath } from '../terminal.ts';
import { type LiteralArguments, verb } from '../verb.ts';

export const ls = verb({
  usage: 'ls [what..]',
  synopsis: 'ls [REV] [PATH]',
  about: 'list a folder as a commit has it, files that are not here included',
  examples: [
    ['bk ls', 'the current folder in the last commit'],
    ['bk ls 2026-10-01 Pictures -l', 'a folder as it was on a day, with sizes and times'],
    ['bk ls HEAD~3 -r', 'everything in an earlier commit'],
  ],
  options: (yargs) =>
    yargs
      .positional('what', {
        type: 'string',
        array: true,
        describe: 'a state (HEAD, id, date), then a folder or file',
      })
      .option('l', { type: 'boolean', describe: 'with mode, size and time' })
      .option('r', { type: 'boolean', describe: 'with everything below' }),
  async run({ what, l, r, ...rest }, session) {
    const { ls } = await import('@bk/repo');
    const repository = await session.open();
    const { literal } = rest as unknown as LiteralArguments;
    const mixed = { given: what ?? [], literal: literal.length, most: 1 };
    const { revisions, paths } = await revisionsAndPaths(mixed, repository, session);
    session.onlyOne(paths, 'bk ls lists one folder');
    const path = session.path(repository, paths[0] ?? '.');
    const [rev] = revisions;
    const options = {
      recursive: r === true,
      ...(path !== undefined && { path }),
      ...(rev !== undefined && { rev }),
    };
    const result = ls(repository, options, session.context);
    session.result(result, (found) =>
      listing(found, { folder: path ?? '', long: l === true, style: session.style }),
    );
    return 0;
  },
});

export interface ListingOptions {
  /** Names are shown as they are below it. */
  readonly folder: string;
  readonly long: boolean;
  readonly style: Style;
}

export function listing({ entries }: LsResult, { folder, long, style }: ListingOptions): string {
  const rows = entries.map((entry) => {
    const name = nameBelow(entry, folder, style);
    if (!long) return [name];
    return [
      entry.mode,
      entry.type === 'dir' ? '-' : size(entry.size),
      entry.mtime ? localTime(entry.mtime) : '-',
      name,
    ];
  });
  return table(rows, long ? [1] : []);
}

function nameBelow({ path, type, present }: LsEntry, folder: string, style: Style): string {
  const name = shownPath(
    folder !== '' && path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path,
  );
  const marked = type === 'dir' ? `${style('bold', name)}/` : type === 'symlink' ? `${name}@` : name;
  return present ? marked : style('dim', `${marked}  (not here)`);
}

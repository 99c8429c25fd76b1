import { QUERY_FIELDS, queryOfArguments } from '@bk/core';
import type { FindResult, FoundFile } from '@bk/repo';
import { count, counted, size, table } from '../format.ts';
import { type Style, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

const QUERY = `words, patterns (*.raf), and FIELD:VALUE with these fields: ${QUERY_FIELDS.join(', ')}`;

export const find = verb({
  usage: 'find <query..>',
  synopsis: 'find QUERY…',
  about: 'find files by name, time, media, tags, people, copies and place, here or not',
  examples: [
    ['bk find holiday tag:kids taken:2019', 'all of these; words are found in names, titles, tags …'],
    ["bk find 'camera:X30 *.raf size:>20MB'", 'quoted: a shell takes *, < and > for itself'],
    ["bk find 'copies:<2 not:on:disk2'", 'on one volume only, and not on that one'],
    ["bk find '(artist:bach or artist:telemann) duration:..3min'", 'either, with brackets'],
    ['bk find is:deleted path:Pictures', 'what is gone, for `bk recover`'],
    [
      'bk find duplicates:exact',
      'files with the same content; duplicates:payload: the same picture or sound',
    ],
    ['bk find --all-history name:letter*', 'every version that was ever committed'],
  ],
  options: (yargs) =>
    yargs
      .positional('query', { type: 'string', array: true, demandOption: true, describe: QUERY })
      .option('all-history', { type: 'boolean', describe: 'every version of every commit too' }),
  async run({ query, 'all-history': allHistory }, session) {
    const { find } = await import('@bk/repo');
    const repository = await session.open();
    const options = {
      query: queryOfArguments(query),
      allHistory: allHistory === true,
      media: session.options.json,
    };
    const result = await find(repository, options, session.context);
    session.result(result, (found) => findText(found, session.style));
    return result.files.length > 0 ? 0 : 1;
  },
});

/** A line a file, then how many there are. */
export function findText({ files }: FindResult, style: Style): string {
  if (files.length === 0) return 'no files\n';
  const rows = files.map((file) => [size(file.size), `${shownPath(file.path)}${mark(file, style)}`]);
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  const away = files.filter(({ present, deletedIn }) => !present && deletedIn === undefined).length;
  const notHere = away === 0 ? '' : `, ${count(away)} not here`;
  return `${table(rows, [0])}${style('dim', `${counted(files.length, 'file')}, ${size(bytes)}${notHere}`)}\n`;
}

function mark({ present, deletedIn }: FoundFile, style: Style): string {
  if (deletedIn !== undefined) return `  ${style('yellow', `(gone in ${deletedIn.slice(0, 10)})`)}`;
  return present ? '' : `  ${style('dim', '(not here)')}`;
}

import { type DuplicateGroup, QUERY_FIELDS, queryOfArguments } from '@bk/core';
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
      'files with the same content, in groups; duplicates:payload: the same picture or sound',
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

/** A line a file, then how many there are; duplicates in groups. */
export function findText({ files, groups }: FindResult, style: Style): string {
  if (files.length === 0) return 'no files\n';
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  const away = files.filter(({ present, deletedIn }) => !present && deletedIn === undefined).length;
  const all = [
    counted(files.length, 'file'),
    size(bytes),
    ...(away === 0 ? [] : [`${count(away)} not here`]),
  ];
  if (groups === undefined) {
    const rows = files.map((file) => row(file, style));
    return `${table(rows, [0])}${style('dim', all.join(', '))}\n`;
  }
  const saved = groups.reduce((sum, group) => sum + group.saved, 0);
  const total = `${counted(groups.length, 'group')}, ${all.join(', ')}, ${size(saved)} could be saved`;
  return `${groupsText(files, groups, style)}${style('dim', total)}\n`;
}

function row(file: FoundFile, style: Style): [string, string] {
  return [size(file.size), `${shownPath(file.path)}${mark(file, style)}`];
}

/** Each group under a line that says what it costs, with a blank line behind it. */
function groupsText(files: readonly FoundFile[], groups: readonly DuplicateGroup[], style: Style): string {
  const members = Map.groupBy(files, ({ group }) => group);
  return groups
    .map(({ group, files: amount, size: bytes, saved }) => {
      const heading = `${size(bytes)}, ${counted(amount, 'file')}, ${size(saved)} could be saved`;
      const rows = (members.get(group) ?? []).map((file) => row(file, style));
      const lines = table(rows, [0]).replace(/^(?=.)/gm, '  ');
      return `${style('bold', heading)}\n${lines}\n`;
    })
    .join('');
}

function mark({ present, deletedIn }: FoundFile, style: Style): string {
  if (deletedIn !== undefined) return `  ${style('yellow', `(gone in ${deletedIn.slice(0, 10)})`)}`;
  return present ? '' : `  ${style('dim', '(not here)')}`;
}

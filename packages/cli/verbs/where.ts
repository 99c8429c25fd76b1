import { BkError } from '@bk/core';
import type { WhereCopy, WhereFile, WhereOptions, WhereResult } from '@bk/repo';
import { count, counted, localTime, table } from '../format.ts';
import { type Style, safe, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

export const where = verb({
  usage: 'where [paths..]',
  about: 'which repositories hold a file, also those that are unplugged',
  examples: [
    ['bk where Pictures/2019', 'every file of a folder, with the repositories that hold it'],
    ['bk where notes.txt --json', 'one file, with where and when it was seen and verified'],
    ['bk where --content af1349b9…', 'a content by its BLAKE3 hash, under whatever name'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, describe: 'files or folders, here or not' })
      .option('content', {
        type: 'string',
        requiresArg: true,
        describe: 'a content, by its hash (64 digits)',
      }),
  async run({ paths, content }, session) {
    if (content !== undefined && paths !== undefined && paths.length > 0)
      throw new BkError('usage', 'give paths or --content, not both');
    const { where } = await import('@bk/repo');
    const repository = await session.open();
    const options: WhereOptions = {
      paths: session.paths(repository, paths),
      ...(content !== undefined && { content }),
    };
    const result = where(repository, options, session.context);
    session.result(result, (found) => whereText(found, { own: repository.config.id, style: session.style }));
    return 0;
  },
});

interface Shown {
  /** This repository's id. */
  readonly own: string;
  readonly style: Style;
}

/** A line a file; one file alone is told at length. */
export function whereText({ files }: WhereResult, shown: Shown): string {
  const [only, ...more] = files;
  if (only === undefined) return 'no files\n';
  if (more.length === 0) return atLength(only, shown);
  const rows = files.map((file) => [`${pathText(file, shown.style)}`, places(file, shown)]);
  const nowhere = files.filter((file) => isNowhere(file)).length;
  const sum = `${counted(files.length, 'file')}${nowhere === 0 ? '' : `, ${shown.style('red', `${count(nowhere)} NOWHERE`)}`}\n`;
  return `${table(rows)}${sum}`;
}

function atLength(file: WhereFile, { own, style }: Shown): string {
  const title = `${pathText(file, style)}\n`;
  const lost = (file.lost ?? []).map((copy) => [
    `  ${safe(copy.name)}`,
    style('yellow', `lost since ${localTime(copy.lostSince)}`),
    'no copy',
    style('dim', `volume ${safe(copy.volume)}`),
    elsewhere(copy, file),
  ]);
  if (isNowhere(file)) return `${title}  ${nowhere(style)}\n${table(lost)}`;
  if (file.copies.length === 0) return `${title}  ${style('dim', HELD_BY_HISTORY)}\n`;
  const rows = file.copies.map((copy) => [
    `  ${style('bold', safe(copy.name))}`,
    copy.repository === own ? 'here' : `seen ${localTime(copy.seen)}`,
    copy.verified === null ? 'not verified since' : `verified ${localTime(copy.verified)}`,
    style('dim', `volume ${safe(copy.volume)}`),
    elsewhere(copy, file),
  ]);
  const here = file.present ? '' : `  ${style('yellow', 'not here')}\n`;
  return `${title}${here}${table([...rows, ...lost])}`;
}

function elsewhere({ path, more }: WhereCopy, file: WhereFile): string {
  const as = path === file.path ? '' : `as ${shownPath(path)}`;
  return more === undefined ? as : `${as} (and ${counted(more, 'more path')})`.trim();
}

function places(file: WhereFile, { own, style }: Shown): string {
  const lost = lostNames(file, style);
  if (isNowhere(file)) return `${nowhere(style)}${lost}`;
  if (file.copies.length === 0) return style('dim', HELD_BY_HISTORY);
  const names = file.copies.map(({ repository, name }) =>
    repository === own ? style('bold', 'here') : safe(name),
  );
  const found = `${names.join(', ')}${lost}`;
  return file.present ? found : `${found}  ${style('yellow', '(not here)')}`;
}

function lostNames({ lost = [] }: WhereFile, style: Style): string {
  if (lost.length === 0) return '';
  return `  ${style('yellow', `(lost: ${lost.map(({ name }) => safe(name)).join(', ')})`)}`;
}

function pathText({ path, departed }: WhereFile, style: Style): string {
  return departed ? `${shownPath(path)}  ${style('dim', '(deleted)')}` : shownPath(path);
}

/** Of a link and an empty file the history holds all there is. */
const HELD_BY_HISTORY = 'in the history';

function isNowhere({ copies, type, size }: WhereFile): boolean {
  return copies.length === 0 && type === 'file' && size > 0;
}

function nowhere(style: Style): string {
  return style('red', 'NOWHERE: no repository that is known has it');
}

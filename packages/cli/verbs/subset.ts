import { encodePattern, everywherePattern, patternText } from '@bk/core';
import type { SubsetFiles, SubsetOptions, SubsetResult } from '@bk/repo';
import { count, counted, size, table } from '../format.ts';
import { wholeNumber } from '../quantity.ts';
import { type Style, safe, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

export const subset = verb({
  usage: 'subset [do] [patterns..]',
  synopsis: 'subset [show|set|add|remove] [patterns..]',
  about: 'which part of the tree this repository wants to hold',
  examples: [
    ['bk subset', 'what is wanted here'],
    ['bk subset set Pictures Music/classic', 'want these folders only; `bk drop` then frees the rest'],
    ["bk subset add Films --exclude '**/*.tmp'", 'want more; `bk get` then brings it'],
    ['bk subset set', 'want everything'],
  ],
  options: (yargs) =>
    yargs
      .positional('do', {
        choices: ['show', 'set', 'add', 'remove'] as const,
        default: 'show' as const,
        describe: 'tell, replace, widen, or take patterns away',
      })
      .positional('patterns', {
        type: 'string',
        array: true,
        describe: 'folders and files from the top of the repository; *, ?, [] and ** as in .gitignore',
      })
      .option('exclude', {
        type: 'string',
        array: true,
        nargs: 1,
        requiresArg: true,
        describe: 'not wanted, though a pattern says so; repeatable',
      })
      .option('copies', {
        type: 'string',
        requiresArg: true,
        describe: 'other volumes that must hold what is not wanted any more (1)',
      })
      .option('dry-run', { type: 'boolean', describe: 'only say what would come and go' }),
  async run(given, session) {
    const { subset } = await import('@bk/repo');
    const { encoded } = session.options;
    const stored = (list: readonly string[] | undefined) =>
      (list ?? []).map((pattern) => (encoded ? pattern : encodePattern(pattern)));
    const options: SubsetOptions = {
      do: given.do,
      include: stored(given.patterns),
      exclude: stored(given.exclude),
      dryRun: given['dry-run'] === true,
      ...(given.copies !== undefined && { copies: wholeNumber(given.copies, '--copies') }),
    };
    const result = await subset(await session.open(), options, session.context);
    for (const pattern of result.idle ?? [])
      session.warn(`warning: nothing matches ${safe(patternText(pattern).text)}${elsewhereHint(pattern)}`);
    session.result(forPrograms(result), () => subsetText(result, session.style, options.dryRun === true), [
      'path',
    ]);
    return result.edited === true ? 1 : 0;
  },
});

function elsewhereHint(pattern: string): string {
  const everywhere = everywherePattern(pattern);
  if (everywhere === undefined) return '';
  return ` at the top; ${quoted(safe(patternText(everywhere).text))} means everywhere`;
}

/** Patterns as they are typed; if one cannot be, all as they are stored. */
function forPrograms({ coming, leaving, ...result }: SubsetResult): object {
  const { include, exclude, idle } = result;
  const files = {
    ...(coming && { coming: withPaths(coming) }),
    ...(leaving && { leaving: withPaths(leaving) }),
  };
  const isEncoded = [...include, ...exclude].some((pattern) => patternText(pattern).encoded);
  if (isEncoded) return { ...result, ...files, encoded: true };
  const plain = (list: readonly string[]) => list.map((pattern) => patternText(pattern).text);
  return {
    ...result,
    ...files,
    include: plain(include),
    exclude: plain(exclude),
    ...(idle !== undefined && { idle: plain(idle) }),
  };
}

function withPaths(found: SubsetFiles): object {
  return { ...found, paths: found.paths.map((path) => ({ path })) };
}

function subsetText(result: SubsetResult, style: Style, dryRun: boolean): string {
  const { include, exclude, edited, coming, leaving } = result;
  const shown = (list: readonly string[]) => list.map((pattern) => safe(patternText(pattern).text));
  const rows = [
    ...(include.length === 0 ? [['wanted', 'everything']] : titled('wanted', shown(include))),
    ...titled('not wanted', shown(exclude)),
  ];
  const warning = edited
    ? `${style('yellow', 'edited by hand')}: nothing acts on it before \`bk subset set\` is given what is meant\n`
    : '';
  const title = dryRun ? style('dim', 'would be:\n') : '';
  return [
    title,
    table(rows),
    warning,
    filesText('not here yet', coming, 'bk get'),
    filesText('here, not wanted any more', leaving, 'bk drop'),
  ].join('');
}

function titled(title: string, lines: readonly string[]): string[][] {
  return lines.map((line, i) => [i === 0 ? title : '', line]);
}

const MOST = 6;

function filesText(title: string, found: SubsetFiles | undefined, command: string): string {
  if (found === undefined || found.files === 0) return '';
  const paths = found.paths.slice(0, MOST).map((path) => quoted(shownPath(path)));
  const more = found.paths.length > MOST ? ` … (${count(found.paths.length - MOST)} more)` : '';
  return `${title}: ${counted(found.files, 'file')}, ${size(found.bytes)}; \`${command} ${paths.join(' ')}\`${more}\n`;
}

/** As a shell takes it. */
function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) && !text.startsWith('-') ? text : `'${text.replace(/'/g, "'\\''")}'`;
}

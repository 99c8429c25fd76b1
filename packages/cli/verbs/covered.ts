import path from 'node:path';
import type { CoveredOptions, CoveredResult } from '@bk/repo';
import { count, counted, size } from '../format.ts';
import { listText } from '../lists.ts';
import { wholeNumber } from '../quantity.ts';
import { type Style, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

export const covered = verb({
  usage: 'covered <dir>',
  about: 'can this card, old disk or folder be wiped? Is every file of it safe elsewhere',
  examples: [
    ['bk covered /media/card', 'lists what is nowhere else; exit code 0: it can be wiped'],
    ['bk covered --min 2 ~/Downloads', 'safe means on at least two other volumes'],
    ['bk covered /media/card --import Pictures/new', 'copies what is nowhere else into this repository'],
  ],
  options: (yargs) =>
    yargs
      .positional('dir', { type: 'string', demandOption: true, describe: 'any folder, a repository or not' })
      .option('min', {
        type: 'string',
        requiresArg: true,
        describe: 'other volumes that make a file safe (1)',
      })
      .option('import', {
        type: 'string',
        requiresArg: true,
        describe: 'copy what is unique below this folder',
      })
      .option('dry-run', { type: 'boolean', describe: 'print what would be imported' }),
  async run(given, session) {
    const min = given.min === undefined ? undefined : wholeNumber(given.min, '--min');
    const { covered } = await import('@bk/repo');
    const repository = await session.open();
    const importTo = session.path(repository, given.import);
    const options: CoveredOptions = {
      dir: path.resolve(session.directory, given.dir as string),
      dryRun: given['dry-run'] === true,
      ...(min !== undefined && { min }),
      ...(importTo !== undefined && { importTo }),
    };
    const result = await covered(repository, options, session.context);
    session.result(
      result,
      (found) => coveredText(found, { style: session.style, dryRun: options.dryRun === true }),
      ['path', 'from'],
    );
    return result.wipeable ? 0 : 1;
  },
});

interface Shown {
  readonly style: Style;
  readonly dryRun: boolean;
}

export function coveredText(result: CoveredResult, { style, dryRun }: Shown): string {
  const { unique, under, unreadable, kept, doubts, skipped, covered, files, bytes, min } = result;
  const lists = [
    listText(style('dim', 'skipped'), skipped, style),
    listText(style('yellow', 'could not be read'), unreadable, style),
    listText(
      style('yellow', 'did not count'),
      doubts.map(({ name, reason }) => ({ path: name, reason })),
      style,
    ),
    listText(style('red', 'kept by bk there, and nowhere else'), kept, style),
    listText(
      style('yellow', `on fewer than ${counted(min, 'other volume')}`),
      under.map(({ path: at, copies }) => ({ path: at, reason: counted(copies, 'copy', 'copies') })),
      style,
    ),
    listText(
      style('red', 'nowhere else'),
      unique.map((file) => ({ path: file.path, reason: size(file.size) })),
      style,
    ),
  ];
  const safe = `${count(covered.files)} of ${counted(files, 'file')} safe elsewhere (${size(covered.bytes)} of ${size(bytes)})\n`;
  return `${lists.join('')}${safe}${importedText(result, { style, dryRun })}${verdict(result, { style, dryRun })}\n`;
}

function importedText({ imported }: CoveredResult, { style, dryRun }: Shown): string {
  if (imported === undefined) return '';
  const { done, failed, bytes } = imported;
  const rows = done.map(({ path: at, from }) => ({ path: at, reason: `from ${shownPath(from)}` }));
  const lists = [
    listText(dryRun ? 'would be imported' : style('green', 'imported'), rows, style),
    listText(style('red', 'could not be imported'), failed, style),
  ];
  const sum = `${counted(done.length, 'file')} ${dryRun ? 'would be imported' : 'imported'}, ${size(bytes)}\n`;
  return `${lists.join('')}${sum}`;
}

function verdict(
  { wipeable, imported, unique, unreadable, kept, under }: CoveredResult,
  { style, dryRun }: Shown,
): string {
  if (wipeable) return style('green', 'It can be wiped.');
  const no = style('red', 'Do not wipe it.');
  const onlyImported =
    !dryRun &&
    imported !== undefined &&
    imported.failed.length + unreadable.length + kept.length + under.length === 0;
  if (onlyImported && unique.length > 0)
    return `${no} What was imported is safe once it is recorded: run \`bk commit\`, then \`bk covered\` again.`;
  return unique.length > 0 && imported === undefined
    ? `${no} --import FOLDER copies what is nowhere else into this repository.`
    : no;
}

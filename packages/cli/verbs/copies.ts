import type { CopiesOptions, CopiesResult } from '@bk/repo';
import { count, counted, size, table } from '../format.ts';
import { wholeNumber } from '../quantity.ts';
import { type Style, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

export const copies = verb({
  usage: 'copies [paths..]',
  about: 'files with too few copies, counted by volume',
  examples: [
    ['bk copies', 'everything with fewer copies than the setting `copies` wants'],
    ['bk copies --min 3 Pictures', 'pictures that are on fewer than three volumes'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, describe: 'only what is at or below these' })
      .option('min', { type: 'string', requiresArg: true, describe: 'copies that are enough' }),
  async run(given, session) {
    const min = given.min === undefined ? undefined : wholeNumber(given.min, '--min');
    const { copies } = await import('@bk/repo');
    const repository = await session.open();
    const options: CopiesOptions = {
      paths: session.paths(repository, given.paths),
      ...(min !== undefined && { min }),
    };
    const result = copies(repository, options, session.context);
    session.result(result, (found) => copiesText(found, session.style));
    return result.under.length > 0 ? 1 : 0;
  },
});

const MANY = 1_000;

export function copiesText({ under, summary }: CopiesResult, style: Style): string {
  const { files, min, lost } = summary;
  if (files === 0) return 'no files\n';
  if (under.length === 0) return `${counted(files, 'file')}: all on at least ${counted(min, 'volume')}\n`;
  const rows = under
    .slice(0, MANY)
    .map(({ path, copies }) => [
      copies === 0 ? style('red', 'NOWHERE') : counted(copies, 'copy', 'copies'),
      shownPath(path),
    ]);
  const more = under.length > MANY ? `… and ${count(under.length - MANY)} more (--json lists all)\n` : '';
  const short = `${counted(under.length, 'file')} of ${count(files)} (${size(summary.under.bytes)}) on fewer than ${counted(min, 'volume')}`;
  const nowhere = lost === 0 ? '' : `, ${style('red', `${count(lost)} on none`)}`;
  return `${table(rows)}${more}${short}${nowhere}\n`;
}

import type { RepairResult } from '@bk/repo';
import { counted, size, table } from '../format.ts';
import { listText } from '../lists.ts';
import { type Style, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

export const repair = verb({
  usage: 'repair [paths..]',
  about: 'replace contents that rotted by a good copy; the bad one is kept aside',
  examples: [
    ['bk repair', 'reads every file again, and heals what changed though nobody wrote to it'],
    ['bk repair Pictures/2019', 'only below a folder; files that are missing there come back too'],
    ['bk repair --dry-run', 'what is rotten'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, describe: 'only what is at or below these' })
      .option('dry-run', { type: 'boolean', describe: 'print what would be healed' }),
  async run(given, session) {
    const { repair } = await import('@bk/repo');
    const repository = await session.open();
    const dryRun = given['dry-run'] === true;
    const options = { paths: session.paths(repository, given.paths), dryRun };
    const result = await repair(repository, options, session.context);
    session.result(result, (found) => repairText(found, { style: session.style, dryRun }));
    const left = result.failed.length + (dryRun ? result.repaired.length : 0);
    return left > 0 ? 1 : 0;
  },
});

const SOURCES: Readonly<Record<string, string>> = {
  safety: 'the safety net',
  folder: 'an equal file here',
  history: 'the history',
};

function repairText(
  { repaired, failed, changed, checked, bytes }: RepairResult,
  { style, dryRun }: { style: Style; dryRun: boolean },
): string {
  const rows = repaired.map(({ path, from, aside }) => [
    `  ${shownPath(path)}`,
    dryRun
      ? ''
      : style(
          'dim',
          `from ${SOURCES[from] ?? from}${aside === undefined ? '' : `; the bad one is kept as ${aside.slice(0, 10)}`}`,
        ),
  ]);
  const title = rows.length === 0 ? '' : `${dryRun ? 'would be healed' : 'healed'}: ${rows.length}\n`;
  const lists = [
    listText(style('red', 'could not be healed'), failed, style),
    listText('edited since the last commit, left alone', changed, style),
  ];
  return `${title}${table(rows)}${lists.join('')}${counted(checked, 'file')} looked at, ${size(bytes)} read\n`;
}

import type { ConflictsResult, ListedConflict } from '@bk/repo';
import { conflictWords } from '../conflicts.ts';
import { counted, localTime, table } from '../format.ts';
import { type Style, safe, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

export const conflicts = verb({
  usage: 'conflicts',
  about: 'list what merges kept twice or were not sure of, until `bk resolve` ends it',
  examples: [
    [
      'bk conflicts',
      'every conflict with its versions, whose they are and from when; exit code 1 if there are any',
    ],
  ],
  options: (yargs) => yargs,
  async run(_given, session) {
    const { conflicts } = await import('@bk/repo');
    const result = conflicts(await session.open());
    session.result(result, (found) => conflictsText(found, session.style));
    return result.conflicts.length > 0 ? 1 : 0;
  },
});

function conflictsText({ conflicts }: ConflictsResult, style: Style): string {
  if (conflicts.length === 0) return 'no conflicts\n';
  const listed = conflicts.map((conflict) => conflictText(conflict, style)).join('');
  return `${listed}${counted(conflicts.length, 'conflict')}; \`bk resolve PATH\` keeps the version at PATH\n`;
}

function conflictText({ path, kind, versions, same }: ListedConflict, style: Style): string {
  const rows = versions.map((version) => [
    `    ${shownPath(version.path)}`,
    version.repository === null ? '' : safe(version.repository),
    style('dim', version.time === null ? '' : localTime(version.time)),
  ]);
  return `${shownPath(path)}  ${style('yellow', conflictWords(kind, same))}\n${table(rows)}`;
}

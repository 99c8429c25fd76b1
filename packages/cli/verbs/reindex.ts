import type { ReindexResult } from '@bk/repo';
import { problemsText } from '../changes.ts';
import { count, counted } from '../format.ts';
import type { Style } from '../terminal.ts';
import { verb } from '../verb.ts';

export const reindex = verb({
  usage: 'reindex',
  about: 'build the index anew from the history and the folder',
  examples: [['bk reindex', 'reads every file once; history, safety net and your files stay as they are']],
  options: (yargs) => yargs,
  async run(_options, session) {
    const { reindex } = await import('@bk/repo');
    const result = await reindex(await session.open(), session.context);
    session.result(result, (found) => reindexText(found, session.style));
    return result.unreadable.length > 0 ? 1 : 0;
  },
});

function reindexText({ directories, files, unchanged, unreadable }: ReindexResult, style: Style): string {
  const counts = `${counted(files, 'file')} in ${counted(directories, 'folder')} indexed`;
  return `${counts}, ${count(unchanged)} as committed\n${problemsText('could not be read:', unreadable, style)}`;
}

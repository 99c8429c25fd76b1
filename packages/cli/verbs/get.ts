import type { GetResult } from '@bk/repo';
import { counted, size } from '../format.ts';
import { listText, meantText } from '../lists.ts';
import type { Style } from '../terminal.ts';
import { verb } from '../verb.ts';

export const get = verb({
  usage: 'get <paths..>',
  about: 'bring the contents of absent files here',
  examples: [
    ['bk get Pictures/2019', 'all of a folder that is not on this disk, from whichever remote has it'],
    ['bk get . --dry-run', 'what is missing here'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, demandOption: true, describe: 'files or folders' })
      .option('dry-run', { type: 'boolean', describe: 'print what would be brought' }),
  async run(given, session) {
    const { get } = await import('@bk/repo');
    const repository = await session.open();
    const dryRun = given['dry-run'] === true;
    const options = { paths: session.paths(repository, given.paths), dryRun };
    const result = await get(repository, options, session.context);
    session.result(result, (done) => getText(done, { style: session.style, dryRun }), ['path', 'of']);
    return result.refused.length > 0 ? 1 : 0;
  },
});

function getText(result: GetResult, { style, dryRun }: { style: Style; dryRun: boolean }): string {
  const { done, refused, bytes } = result;
  const list = dryRun ? listText('would be brought', done, style) : '';
  const failed = listText(style('red', 'could not be brought'), refused, style);
  const what = `${counted(done.length, 'file')} (${size(bytes)}) ${dryRun ? 'to bring' : 'brought here'}`;
  const meant = meantText(result, style);
  return `${list}${meant}${failed}${done.length + refused.length === 0 ? 'everything is here already' : what}\n`;
}

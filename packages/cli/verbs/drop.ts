import { BkError } from '@bk/core';
import type { DropResult } from '@bk/repo';
import { counted, size } from '../format.ts';
import { listText, meantText, reasonsText } from '../lists.ts';
import type { Style } from '../terminal.ts';
import { verb } from '../verb.ts';

export const drop = verb({
  usage: 'drop <paths..>',
  about: 'free the contents of files here that other disks prove to hold; no deletion',
  examples: [
    ['bk drop Pictures/2019', 'make room: `bk get` brings it back'],
    ['bk drop Movies --copies 1', 'if at least one other disk has each of them'],
    ['bk drop . --dry-run', 'what could be freed, and what not, and why'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, demandOption: true, describe: 'files or folders' })
      .option('copies', {
        type: 'string',
        requiresArg: true,
        describe: 'so many other volumes must prove now that they hold it (default: config copies)',
      })
      .option('dry-run', { type: 'boolean', describe: 'print what would be freed' }),
  async run(given, session) {
    const copies = given.copies === undefined ? undefined : numberOf(given.copies);
    const { drop } = await import('@bk/repo');
    const repository = await session.open();
    const dryRun = given['dry-run'] === true;
    const paths = session.paths(repository, given.paths);
    const options = { paths, dryRun, ...(copies !== undefined && { copies }) };
    const result = await drop(repository, options, session.context);
    session.result(result, (done) => dropText(done, { style: session.style, dryRun }), ['path', 'of']);
    if (result.refused.length === 0) return 0;
    return result.done.length === 0 ? 3 : 1;
  },
});

function numberOf(text: string): number {
  const number = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (number >= 1) return number;
  throw new BkError('usage', `--copies ${text}: it must be a whole number, at least 1`);
}

function dropText(result: DropResult, { style, dryRun }: { style: Style; dryRun: boolean }): string {
  const { done, refused, bytes } = result;
  const list = dryRun ? listText('would be freed', done, style) : '';
  const kept = reasonsText(style('yellow', 'not dropped'), refused);
  const what = `${counted(done.length, 'file')} (${size(bytes)}) ${dryRun ? 'to free' : 'freed here'}`;
  const none = refused.length === 0 ? 'nothing of it is here' : 'nothing was freed';
  const meant = meantText(result, style);
  return `${list}${meant}${kept}${done.length === 0 ? none : what}\n`;
}

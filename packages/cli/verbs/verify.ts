import type { VerifyOptions, VerifyResult } from '@bk/repo';
import { count, counted, size } from '../format.ts';
import { listText } from '../lists.ts';
import { percentage, timeSpan } from '../quantity.ts';
import type { Style } from '../terminal.ts';
import { verb } from '../verb.ts';

export const verify = verb({
  usage: 'verify [paths..]',
  about: 'read contents again and tell rot from edits',
  examples: [
    ['bk verify', 'every file, those verified longest ago first; goes on where it was interrupted'],
    ['bk verify --sample 5% --time 1h', 'the twentieth that was verified longest ago, for an hour at most'],
    ['bk verify Pictures --older-than 6m', 'what was not verified for six months'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, describe: 'only what is at or below these' })
      .option('sample', { type: 'string', requiresArg: true, describe: 'only so many percent of the files' })
      .option('older-than', {
        type: 'string',
        requiresArg: true,
        describe: 'only what was not verified for so long',
      })
      .option('time', { type: 'string', requiresArg: true, describe: 'begin nothing new after so long' }),
  async run(given, session) {
    const older = given['older-than'];
    const limits = {
      ...(given.sample !== undefined && { sample: percentage(given.sample, '--sample') }),
      ...(older !== undefined && { olderThanMs: timeSpan(older, '--older-than') }),
      ...(given.time !== undefined && { timeMs: timeSpan(given.time, '--time') }),
    };
    const { verify } = await import('@bk/repo');
    const repository = await session.open();
    const options: VerifyOptions = { paths: session.paths(repository, given.paths), ...limits };
    const result = await verify(repository, options, session.context);
    session.result(result, (found) => verifyText(found, session.style));
    return result.rot.length + result.missing.length + result.unreadable.length > 0 ? 1 : 0;
  },
});

function verifyText(
  { checked, bytes, ok, rot, changed, missing, unreadable }: VerifyResult,
  style: Style,
): string {
  const lists = [
    listText(style('red', 'rot: content changed, but neither size nor time'), rot, style),
    listText(style('red', 'missing'), missing, style),
    listText(style('yellow', 'could not be read'), unreadable, style),
    listText('edited since the last commit', changed, style),
  ];
  return `${lists.join('')}${counted(checked, 'file')} looked at, ${size(bytes)} read: ${count(ok)} as recorded\n`;
}

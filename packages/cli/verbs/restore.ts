import { BkError } from '@bk/core';
import type { RestoredField, RestoreOptions } from '@bk/repo';
import { verb } from '../verb.ts';
import { recoveredText } from './recover.ts';

export const restore = verb({
  usage: 'restore <paths..>',
  about: 'put back an earlier state of files; what is there now goes to the safety net',
  examples: [
    ['bk restore notes.txt', 'as it was committed last'],
    ['bk restore Pictures --at 2026-10-01', 'a folder as it was on a day'],
    ['bk restore . --only mtime,mode', 'times and permissions of everything, no contents'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', { type: 'string', array: true, demandOption: true, describe: 'files or folders' })
      .option('at', {
        type: 'string',
        requiresArg: true,
        describe: 'HEAD (the default), a commit id or a date',
      })
      .option('only', { type: 'string', requiresArg: true, describe: 'only mtime, mode or both: mtime,mode' })
      .option('dry-run', { type: 'boolean', describe: 'print what would be put back' }),
  async run(given, session) {
    const only = given.only === undefined ? undefined : fieldsOf(given.only);
    const { restore } = await import('@bk/repo');
    const repository = await session.open();
    const options: RestoreOptions = {
      paths: session.paths(repository, given.paths),
      dryRun: given['dry-run'] === true,
      ...(given.at !== undefined && { at: given.at }),
      ...(only !== undefined && { only }),
    };
    const result = await restore(repository, options, session.context);
    session.result(result, (done) => recoveredText(done, session, options.dryRun === true));
    return result.failed.length > 0 ? 1 : 0;
  },
});

function fieldsOf(text: string): RestoredField[] {
  return text.split(',').map((field) => {
    if (field === 'mtime' || field === 'mode') return field;
    throw new BkError('usage', `--only ${text}: it must be mtime, mode or mtime,mode`);
  });
}

import type { CloneResult } from '@bk/repo';
import { problemsText } from '../changes.ts';
import { counted, size } from '../format.ts';
import type { Session } from '../session.ts';
import { safe } from '../terminal.ts';
import { verb } from '../verb.ts';

export const clone = verb({
  usage: 'clone <places..>',
  synopsis: 'clone [SRC] DST',
  about: 'make a new repository with the history and the committed files of this one, or a part of them',
  examples: [
    ['bk clone /mnt/disk2/photos', 'everything of the current repository, to another disk'],
    [
      'bk clone --subset Pictures --exclude "**/*.raf" /mnt/disk2/pictures',
      'only a part; the rest is in its history',
    ],
    ['bk clone ~/photos /mnt/disk2/photos', 'of another repository than the current one'],
    ['bk clone --dry-run --subset Pictures /mnt/disk2/p', 'say how much that would be, copy nothing'],
    ['bk clone ssh://nas/srv/photos ~/photos', 'of a repository on another machine'],
    ['bk clone ssh://nas/srv/photos', 'of the current one, to another machine'],
  ],
  options: (yargs) =>
    yargs
      .positional('places', { type: 'string', array: true, demandOption: true, describe: '[SRC] DST' })
      .option('subset', {
        type: 'string',
        array: true,
        nargs: 1,
        requiresArg: true,
        describe: 'only what matches this pattern (may be given again)',
      })
      .option('exclude', {
        type: 'string',
        array: true,
        nargs: 1,
        requiresArg: true,
        describe: 'not what matches this pattern (may be given again)',
      })
      .option('name', {
        type: 'string',
        requiresArg: true,
        describe: 'name of the new repository (default: the folder’s)',
      })
      .option('origin', {
        type: 'string',
        requiresArg: true,
        describe: 'of a clone on another machine: the address by which it reaches this one',
      })
      .option('dry-run', { type: 'boolean', describe: 'print what would be copied' }),
  async run(given, session) {
    const [first = '', second] = given.places;
    session.onlyOne(given.places.slice(1), 'clone takes [SRC] DST');
    const { cloneSourceOf, cloneTo, openCloneSource } = await import('@bk/repo');
    const from =
      second === undefined
        ? await cloneSourceOf(await session.open(), session.context)
        : await openCloneSource(first, session.directory, session.context);
    const dryRun = given['dry-run'] === true;
    try {
      const result = await cloneTo(
        second ?? first,
        {
          from,
          directory: session.directory,
          include: given.subset ?? [],
          exclude: given.exclude ?? [],
          dryRun,
          ...(given.name !== undefined && { name: given.name }),
          ...(given.origin !== undefined && { origin: given.origin }),
        },
        session.context,
      );
      report(result, session, dryRun);
      return result.missing.length > 0 ? 1 : 0;
    } finally {
      await from.peer.close();
      if (second !== undefined) from.repository?.close();
    }
  },
});

function report(result: CloneResult, session: Session, dryRun: boolean): void {
  const { warnings, ...document } = result;
  for (const warning of warnings) session.warn(`warning: ${safe(warning)}`);
  session.result(document, (made) => cloneText(made, session, dryRun));
  if (dryRun) session.note(session.style('dim', 'only what is committed is copied\n'));
}

function cloneText(
  { root, files, bytes, missing }: Omit<CloneResult, 'warnings'>,
  { style, options }: Session,
  dryRun: boolean,
): string {
  const amount = `${counted(files, 'file')}, ${size(bytes)}`;
  const headline = dryRun
    ? `would copy ${amount} to ${safe(root)}\n`
    : `${safe(root)} is a clone: ${amount}\n`;
  const problems = problemsText(dryRun ? 'cannot be had:' : 'could not be had:', missing, style);
  return options.quiet ? problems : headline + problems;
}

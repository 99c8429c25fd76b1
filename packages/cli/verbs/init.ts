import path from 'node:path';
import { safe } from '../terminal.ts';
import { verb } from '../verb.ts';

export const init = verb({
  usage: 'init [dir]',
  about: 'make a folder a repository',
  examples: [
    ['bk init ~/Pictures', 'bk keeps everything it needs in ~/Pictures/.bk and changes nothing else'],
    ['bk init --name photos', 'the current folder, known to other repositories as "photos"'],
  ],
  options: (yargs) =>
    yargs
      .positional('dir', { type: 'string', describe: 'the folder (default: the current one)' })
      .option('name', {
        type: 'string',
        requiresArg: true,
        describe: 'name of the repository (default: the folder’s)',
      }),
  async run({ dir, name }, session) {
    const { init } = await import('@bk/repo');
    const target = path.resolve(session.directory, dir ?? '.');
    const isNew = !session.exists(path.join(target, '.bk'));
    const made = init(target, name === undefined ? {} : { name }, session.context);
    session.result(made, ({ root, name }) => `${safe(root)} is a repository, “${safe(name)}”\n`);
    if (isNew) session.note(session.style('dim', 'next: bk commit -m "first"\n'));
    return 0;
  },
});

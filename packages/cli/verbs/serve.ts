import path from 'node:path';
import { BkError } from '@bk/core';
import { isTerminal } from '../terminal.ts';
import { verb } from '../verb.ts';

export const serve = verb({
  usage: 'serve',
  synopsis: 'serve --stdio [--read-only] [--root DIR]',
  about: 'the other end of an ssh remote: answers another bk over stdin and stdout',
  examples: [
    ['bk serve --stdio', 'what ssh starts on the other machine for a remote like ssh://nas/photos'],
    [
      'bk serve --stdio --root /srv/photos',
      'after command= in a line of authorized_keys: that key sees nothing outside of the folder',
    ],
    ['bk serve --stdio --read-only --root /srv/photos', 'and can only read what is in it'],
  ],
  options: (yargs) =>
    yargs
      .option('stdio', { type: 'boolean', describe: 'over stdin and stdout' })
      .option('read-only', {
        type: 'boolean',
        describe: 'take nothing, move nothing; promise, for drop, that contents stay',
      })
      .option('root', {
        type: 'string',
        requiresArg: true,
        describe: 'every path that is asked for begins in this folder',
      }),
  async run(given, session) {
    if (given.stdio !== true) throw new BkError('usage', 'serve needs --stdio: there is no other way yet');
    if (isTerminal(0) || isTerminal(1)) {
      throw new BkError('usage', 'serve talks to another bk, not to a terminal', {
        hint: 'ssh starts it: see `bk remote add NAME ssh://HOST/PATH`',
      });
    }
    const { serve } = await import('@bk/repo');
    await serve(
      { input: 0, output: 1 },
      {
        ...(given.root !== undefined && { root: path.resolve(session.directory, given.root) }),
        readOnly: given['read-only'] === true,
      },
      session.context,
    );
    return 0;
  },
});

import type { PushedRemote, PushResult } from '@bk/repo';
import { exchangeCode, exchangeText, shortCommit } from '../exchanged.ts';
import { counted, size } from '../format.ts';
import { listText } from '../lists.ts';
import { type Style, safe } from '../terminal.ts';
import { verb } from '../verb.ts';

export const push = verb({
  usage: 'push [remotes..]',
  about: 'send history, presences and the contents that others want',
  examples: [
    ['bk push', 'to all remotes that are within reach'],
    ['bk push disk2', 'to one; its files follow if nothing was changed there'],
    ['bk push --dry-run', 'say what would be sent'],
  ],
  options: (yargs) =>
    yargs
      .positional('remotes', { type: 'string', array: true, describe: 'names of remotes; none: all' })
      .option('dry-run', { type: 'boolean', describe: 'only say what would be sent' }),
  async run({ remotes = [], 'dry-run': dry }, session) {
    const { push } = await import('@bk/repo');
    const dryRun = dry === true;
    const result = await push(await session.open(), { remotes, dryRun }, session.context);
    session.result(result, (done) => pushText(done, session.style, dryRun), ['path']);
    return exchangeCode(result, remotes.length > 0);
  },
});

function pushText(done: PushResult, style: Style, dryRun: boolean): string {
  const rows = done.remotes.map((one) => {
    const told = pushedNews(one, style, dryRun);
    return [style('bold', safe(one.name)), told.length === 0 ? 'nothing to send' : told.join('; ')];
  });
  return exchangeText(rows, done, style) + done.remotes.map((one) => notSentText(one, style)).join('');
}

export function notSentText({ name, missing, left }: PushedRemote, style: Style): string {
  return (
    listText(`not sent to ${safe(name)}`, missing, style) +
    listText(`left as it is at ${safe(name)}`, left, style)
  );
}

export function pushedNews(
  { head, moved, standing, reason, sent, historyOnly }: PushedRemote,
  style: Style,
  dryRun: boolean,
): string[] {
  const told: string[] = [];
  const what = historyOnly ? ', the history only' : '';
  if (moved) told.push(`${dryRun ? 'would move' : 'moved'} to ${shortCommit(head)}${what}`);
  if (standing === 'ahead') told.push('it is ahead: `bk sync` follows it');
  if (reason !== undefined) told.push(`${style('yellow', 'not moved')}: ${safe(reason)}`);
  if (sent.files > 0)
    told.push(`${dryRun ? 'would send' : 'sent'} ${counted(sent.files, 'content')}, ${size(sent.bytes)}`);
  return told;
}

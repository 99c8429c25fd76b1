import type { SafetyResult } from '@bk/repo';
import { count, counted, size, table } from '../format.ts';
import { type Style, safe } from '../terminal.ts';
import { verb } from '../verb.ts';

export const safety = verb({
  usage: 'safety [do]',
  synopsis: 'safety [status|release|check]',
  about: 'what the safety net holds and costs; let go what may go',
  examples: [
    ['bk safety', 'what is in the net, and what it costs'],
    ['bk safety release --dry-run', 'what the settings allow to let go now'],
    ['bk safety check', 'read every content in the net again'],
  ],
  options: (yargs) =>
    yargs
      .positional('do', {
        choices: ['status', 'release', 'check'] as const,
        default: 'status' as const,
        describe: 'tell, let go, or read again',
      })
      .option('dry-run', { type: 'boolean', describe: 'only say what release would let go' }),
  async run(given, session) {
    const { safety } = await import('@bk/repo');
    const options = { do: given.do, dryRun: given['dry-run'] === true };
    const result = safety(await session.open(), options, session.context);
    session.result(result, (net) => safetyText(net, session.style, options.dryRun), []);
    return result.ok === false ? 1 : 0;
  },
});

function safetyText(net: SafetyResult, style: Style, dryRun: boolean): string {
  const { entries, bytes, held, kinds, releasable, unprotected, released, ok, problems = [] } = net;
  const rows = [
    ['in the net', `${counted(entries, 'name')}, contents of ${size(bytes)}`],
    [
      '',
      style(
        'dim',
        `${count(kinds.link)} links (not against in-place edits), ${count(kinds.independent)} independent`,
      ),
    ],
    ['costs', `${size(held.bytes)} in ${counted(held.entries, 'content')} that no file has any more`],
    ['may go now', amount(releasable)],
    ['unprotected', unprotected === 0 ? 'nothing' : style('yellow', counted(unprotected, 'file'))],
    ...(released === undefined ? [] : [[dryRun ? 'would let go' : 'let go', amount(released)]]),
    ...(ok === undefined
      ? []
      : [['check', ok ? 'all contents are right' : style('red', counted(problems.length, 'problem'))]]),
  ];
  const told = problems.map(
    ({ subject, detail, remedy }) => `  ${safe(subject)}: ${safe(detail)}; ${safe(remedy)}\n`,
  );
  return table(rows) + told.join('');
}

function amount({ entries, bytes }: { readonly entries: number; readonly bytes: number }): string {
  return entries === 0 ? 'nothing' : `${counted(entries, 'content')}, ${size(bytes)}`;
}

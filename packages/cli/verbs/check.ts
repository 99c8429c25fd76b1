import type { CheckResult } from '@bk/repo';
import { counted } from '../format.ts';
import { type Style, safe } from '../terminal.ts';
import { verb } from '../verb.ts';

export const check = verb({
  usage: 'check',
  about: 'do history, index, safety net and settings agree?',
  examples: [
    ['bk check', 'looks at everything below .bk, changes nothing'],
    ['bk check --deep', 'reads every content in the safety net too'],
  ],
  options: (yargs) =>
    yargs.option('deep', { type: 'boolean', describe: 'read the contents in the safety net' }),
  async run({ deep }, session) {
    const { check } = await import('@bk/repo');
    const result = await check(await session.open(), { deep: deep === true }, session.context);
    session.result(result, (found) => checkText(found, session.style), []);
    return result.ok ? 0 : 1;
  },
});

function checkText({ problems }: CheckResult, style: Style): string {
  if (problems.length === 0) return 'all is well\n';
  const told = problems.map(({ kind, subject, detail, remedy }) => {
    const what = `${style('red', kind)}  ${safe(subject)}: ${safe(detail)}`;
    return `${what}\n  ${style('dim', safe(remedy))}\n`;
  });
  return `${told.join('')}${counted(problems.length, 'problem')}\n`;
}

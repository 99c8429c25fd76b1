import type { DoctorResult, ProtectionReach } from '@bk/repo';
import { table } from '../format.ts';
import { type Style, safe } from '../terminal.ts';
import { verb } from '../verb.ts';

export const doctor = verb({
  usage: 'doctor',
  about: 'what this file system can and cannot protect',
  examples: [['bk doctor', 'tries it out, leaves nothing behind']],
  options: (yargs) => yargs,
  async run(_options, session) {
    const { doctor } = await import('@bk/repo');
    const result = doctor(await session.open(), session.context);
    session.result(result, (found) => doctorText(found, session.style), []);
    return result.protection.deletion === 'none' ? 1 : 0;
  },
});

const REACH: Readonly<Record<ProtectionReach, string>> = {
  full: 'protected',
  'small-files': 'small files only (config safety.copyLimit)',
  none: 'not protected',
};

function doctorText({ fileSystem, volume, protection, checks }: DoctorResult, style: Style): string {
  const reach = (of: ProtectionReach) =>
    style(of === 'full' ? 'green' : of === 'none' ? 'red' : 'yellow', REACH[of]);
  const facts = table([
    ['file system', `${safe(fileSystem)}  ${style('dim', safe(volume))}`],
    ['a file is deleted', reach(protection.deletion)],
    ['a file is replaced', reach(protection.replacement)],
    ['a file is written over in place', reach(protection.overwrite)],
  ]);
  const rows = checks.map(({ name, ok, detail }) => [
    ok ? style('green', 'yes') : style('yellow', 'no'),
    name,
    style('dim', safe(detail)),
  ]);
  return `${facts}\n${table(rows)}`;
}

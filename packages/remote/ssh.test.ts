import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { parseAddress } from './address.ts';
import { type SshAddress, sshArguments, wordsOf } from './ssh.ts';

const ssh = (text: string): SshAddress => {
  const address = parseAddress(text);
  if (address.kind !== 'ssh') throw new Error(`${text} is no address of ssh`);
  return address;
};

test('the command at the other end is always the same, whatever the address says', () => {
  for (const text of [
    'ssh://host/a b;$(touch x)`y`&|',
    'host:"quoted" \'path\'',
    'ssh://user@[::1]:2222/%0a'.replace('%0a', 'x'),
    'user@host:../..',
  ]) {
    const args = sshArguments(ssh(text), false);
    const at = args.indexOf('--');
    expect(args.slice(at + 2)).toEqual(['bk', 'serve', '--stdio']);
    expect(args[at + 1]).toBe(ssh(text).host);
    expect(args.slice(0, at).every((one) => /^-[A-Za-z0-9=_.+-]+$/.test(one))).toBe(true);
  }
});

test('user and port go by options of their own; a password is asked for only where one can be typed', () => {
  const args = sshArguments(ssh('ssh://me@host:2222/x'), false);
  expect(args).toEqual(expect.arrayContaining(['-lme', '-p2222', '-oBatchMode=yes']));
  expect(sshArguments(ssh('host:x'), true)).not.toContain('-oBatchMode=yes');
});

test.each(['ssh', ' ssh  -F "a b" -i \'c d\' ', "ssh -o'ProxyCommand=x y' a\\ b", '"a\\"b" \'\' c""d'])(
  'words of %j are those that a shell makes',
  (command) => {
    const said = execFileSync('sh', ['-c', `for word in ${command}; do printf '%s\\n' "$word"; done`], {
      encoding: 'utf8',
    });
    expect(wordsOf(command)).toEqual(said.split('\n').slice(0, -1));
  },
);

test('what a shell would expand is left as it is; an open quote is no command', () => {
  expect(wordsOf('ssh $HOME `x` *')).toEqual(['ssh', '$HOME', '`x`', '*']);
  for (const open of ["ssh 'a", 'ssh "a', 'ssh a\\', '', '  '])
    expect(() => wordsOf(open)).toThrow('not a command');
});

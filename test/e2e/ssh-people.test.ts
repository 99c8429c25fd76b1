import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { BK, errorOf, explained, type Outcome, repository, run } from '../support/bk.ts';
import { needsPrograms } from '../support/programs.ts';
import { hasSshd, needsSshd, Sshd } from '../support/sshd.ts';
import { atEnd, fastFolder } from '../support/temporary.ts';
import { rsyncDifferences } from '../support/two.ts';

/** ssh as people have it set up: what their configuration says holds for bk too. */
let sshd: Sshd;
let root: string;
beforeAll(async () => {
  if (!hasSshd()) return;
  sshd = await Sshd.start();
  root = path.join(fastFolder('bk-people-'), 'there');
  fs.mkdirSync(root);
  fs.writeFileSync(path.join(root, 'file'), 'content');
  repository(root);
});

/** A configuration of ssh with a host `there`: the sshd, and these lines; no keys and no agent but what they name. */
function configured(name: string, lines: readonly string[], more = ''): { readonly BK_SSH_COMMAND: string } {
  const { files } = sshd;
  const [, port = ''] = /^ {2}Port ([0-9]+)$/m.exec(fs.readFileSync(files.clientConfig, 'utf8')) ?? [];
  const text = [
    'Host there',
    ...lines,
    'HostName 127.0.0.1',
    `Port ${port}`,
    'IdentityFile none',
    `UserKnownHostsFile ${files.at('known_hosts')}`,
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
    more,
  ];
  return { BK_SSH_COMMAND: `ssh -F '${files.write(name, `${text.join('\n')}\n`)}'` };
}

function clone(env: Readonly<Record<string, string>>): Outcome & { readonly dst: string } {
  const dst = path.join(fastFolder('bk-people-'), 'here');
  return { ...run(['--json', 'clone', sshd.address(root, 'there'), dst], { env }), dst };
}

function expectClone({ code, stderr, dst }: ReturnType<typeof clone>): void {
  expect(code, stderr).toBe(0);
  expect(rsyncDifferences(root, dst)).toEqual([]);
}

function expectRefusal(done: ReturnType<typeof clone>, message: RegExp): void {
  expect([done.code, explained(done)], done.stderr).toEqual([4, true]);
  const error = errorOf(done);
  expect(error).toMatchObject({ code: 'unreachable', message: expect.stringMatching(message) });
  expect(error.message).toContain(sshd.address(root, 'there'));
  expect(fs.existsSync(done.dst)).toBe(false);
}

/** A copy of the key that is let in, with a passphrase or without. */
function keyCopy(name: string, passphrase: string): string {
  const key = sshd.files.at(name);
  fs.copyFileSync(sshd.files.at('key-user'), key);
  fs.chmodSync(key, 0o600);
  execFileSync('ssh-keygen', ['-q', '-p', '-P', '', '-N', passphrase, '-f', key]);
  return key;
}

async function agent(): Promise<string> {
  const socket = path.join(fastFolder('bk-agent-'), 'socket');
  const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  atEnd(() => void child.kill());
  while (!fs.existsSync(socket)) await setTimeout(10);
  return socket;
}

test('a key that only the agent has lets bk in; without it the reason is ssh’s', async (context) => {
  needsSshd(context);
  needsPrograms(context, 'ssh-agent', 'ssh-add');
  const env = { ...configured('of-agent', []), SSH_AUTH_SOCK: await agent() };
  expectRefusal(clone(env), /ssh says: .*Permission denied/);
  execFileSync('ssh-add', ['-q', sshd.files.at('key-user')], { env: { ...process.env, ...env } });
  expectClone(clone(env));
});

test('a jump host of the configuration is gone through', async (context) => {
  needsSshd(context);
  const jump = await Sshd.start();
  const { files } = jump;
  // The keys that Sshd lets in may run commands only.
  const open = fs.readFileSync(`${files.at('key-user')}.pub`, 'utf8');
  files.write('authorized_keys', open);
  const section = fs.readFileSync(files.clientConfig, 'utf8').replace('Host user', 'Host jump');
  const key = `IdentityFile ${sshd.files.at('key-user')}`;
  const env = configured('through-jump', [key, 'ProxyJump jump'], section);
  expectClone(clone(env));
  expect(fs.readFileSync(files.at('sshd.log'), 'utf8')).toMatch(/Accepted publickey/);
  jump.stop();
  expectRefusal(clone(env), /ssh says: .*Connection (refused|closed)/);
});

describe('a passphrase', () => {
  const locked = (): { readonly BK_SSH_COMMAND: string } =>
    configured('locked', [`IdentityFile ${keyCopy(`locked-${process.hrtime.bigint()}`, 'open sesame')}`]);

  /** bk on a terminal, with `typed` as the answer to what is asked. @returns exit code, and what stood there */
  async function onTerminal(
    env: Readonly<Record<string, string>>,
    typed: string | undefined,
  ): Promise<{ readonly code: number; readonly seen: string; readonly dst: string }> {
    const dst = path.join(fastFolder('bk-people-'), 'here');
    const kept = {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      LC_ALL: 'C.UTF-8',
      NO_COLOR: '1',
    };
    const command = `'${BK}' clone '${sshd.address(root, 'there')}' '${dst}'; code=$?; stty -a; exit $code`;
    const child: ChildProcess = spawn('script', ['-qec', command, '/dev/null'], {
      env: { ...kept, ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let seen = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const isAsked = /passphrase/.test(seen + text) && !/passphrase/.test(seen);
      seen += text;
      if (isAsked && typed !== undefined) child.stdin?.write(`${typed}\n`);
    });
    const [code] = (await once(child, 'close')) as [number];
    return { code, seen, dst };
  }

  test('is asked for by nobody where no person is: it is told at once', (context) => {
    needsSshd(context);
    expectRefusal(clone(locked()), /ssh says: .*Permission denied/);
  });

  test('is asked for on a terminal, and taken', async (context) => {
    needsSshd(context);
    needsPrograms(context, 'script');
    const { code, seen, dst } = await onTerminal(locked(), 'open sesame');
    expect(code, seen).toBe(0);
    expect(seen).toContain('Enter passphrase for key');
    expect(rsyncDifferences(root, dst)).toEqual([]);
  });

  test('may come from a program of the person’s own, if ssh is told that it may ask', (context) => {
    needsSshd(context);
    const answers = path.join(fastFolder('bk-askpass-'), 'askpass');
    fs.writeFileSync(answers, "#!/bin/sh\necho 'open sesame'\n", { mode: 0o755 });
    const { BK_SSH_COMMAND: ssh } = locked();
    const asking = { SSH_ASKPASS: answers, SSH_ASKPASS_REQUIRE: 'force' };
    expectRefusal(clone({ ...asking, BK_SSH_COMMAND: ssh }), /Permission denied/);
    expectClone(clone({ ...asking, BK_SSH_COMMAND: `${ssh} -oBatchMode=no` }));
  });

  test('that nobody types is waited for, but not for ever', async (context) => {
    needsSshd(context);
    needsPrograms(context, 'script');
    const { code, seen, dst } = await onTerminal({ ...locked(), BK_SSH_TIMEOUT: '3' }, undefined);
    expect(code, seen).toBe(4);
    expect(seen).toMatch(/bk: cannot reach ssh:.*no answer within 3 s/);
    // ssh did not want it to be seen while it was typed.
    expect(seen).toMatch(/ echo /);
    expect(fs.existsSync(dst)).toBe(false);
  });
});

describe('a host', () => {
  const user = (): string => `IdentityFile ${sshd.files.at('key-user')}`;

  test('whose key changed is not talked to, and ssh’s words say so', (context) => {
    needsSshd(context);
    const known = fs.readFileSync(sshd.files.at('known_hosts'), 'utf8').split(' ')[0];
    const other = fs.readFileSync(sshd.files.at('key-stranger.pub'), 'utf8');
    const file = sshd.files.write('other_hosts', `${known} ${other}`);
    expectRefusal(
      clone(configured('changed', [user(), `UserKnownHostsFile ${file}`])),
      /ssh says: .*(has changed|Host key verification failed)/,
    );
  });

  test('that is not known yet is not trusted without being asked for', (context) => {
    needsSshd(context);
    const file = sshd.files.write('no_hosts', '');
    const lines = [user(), `UserKnownHostsFile ${file}`, 'StrictHostKeyChecking ask'];
    const done = clone(configured('unknown', lines));
    expectRefusal(done, /Host key verification failed/);
    expect(errorOf(done).hint).toContain('`ssh there`');
    expect(fs.readFileSync(file, 'utf8')).toBe('');
  });

  test('that accepts and never speaks is given up in time', async (context) => {
    needsSshd(context);
    const server = net.createServer(() => {});
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as net.AddressInfo;
    const env = { ...configured('silent', [user(), `Port ${port}`]), BK_SSH_TIMEOUT: '2' };
    expectRefusal(clone(env), /no answer within 2 s/);
    server.close();
  });
});

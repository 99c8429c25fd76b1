import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { BK, bk, errorOf, explained, type Outcome, repository, run } from '../support/bk.ts';
import { hasSshd, kill, needsSshd, Sshd } from '../support/sshd.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';
import { rsyncDifferences } from '../support/two.ts';

/** A repository of one file. */
function source(bytes: string | Buffer = 'content'): string {
  const root = path.join(fastFolder('bk-odd-'), 'there');
  fs.mkdirSync(root);
  fs.writeFileSync(path.join(root, 'file'), bytes);
  repository(root);
  return root;
}

const SERVE = `'${BK}' serve --stdio`;

/** What stands for ssh: a shell that does this; what bk says to ssh are its arguments. */
function shell(script: string): Record<string, string> {
  const file = path.join(fastFolder('bk-as-ssh-'), 'ssh');
  fs.writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { BK_SSH_COMMAND: file };
}

function cloneOver(
  script: string,
  env: Record<string, string> = {},
  root = source(),
): Outcome & { dst: string } {
  const dst = path.join(fastFolder('bk-odd-'), 'here');
  return { ...run(['--json', 'clone', `ssh://x${root}`, dst], { env: { ...shell(script), ...env } }), dst };
}

/** bk at work, with what stands for ssh below it. */
function started(args: readonly string[], env: Record<string, string>): ChildProcess {
  const kept = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '', LC_ALL: 'C.UTF-8' };
  return spawn(BK, ['--json', ...args], { env: { ...kept, ...env }, stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Waits for what is bound to come. */
async function until(come: () => boolean): Promise<void> {
  while (!come()) await setTimeout(10);
}

function isAlive(pid: number): boolean {
  return fs.existsSync(`/proc/${pid}`);
}

describe('the other side', () => {
  test('may greet with the words of a shell: they are passed over', () => {
    const { code, stderr, dst } = cloneOver(`echo 'Welcome!'; echo 'stty: no tty'; exec ${SERVE}`);
    expect(code, stderr).toBe(0);
    expect(fs.readFileSync(path.join(dst, 'file'), 'utf8')).toBe('content');
  });

  test.each<[string, string, string, RegExp]>([
    ['only talks', 'echo "This account is not available."', 'unreachable', /This account is not available/],
    ['talks without end', 'yes "\\033]0;evil" 2>/dev/null | head -c 300000', 'refused', /it is no bk/],
    [
      'steers the terminal',
      "printf '\\033[2J\\033]0;evil\\007'",
      'unreachable',
      /\\x1b\[2J\\x1b\]0;evil\\x07/,
    ],
    ['is a later bk', "printf '\\000bk-wire 99 99\\n'; sleep 20", 'refused', /speaks version 99/],
    [
      'ends with an error',
      'echo "sh: bk: not found" >&2; exit 127',
      'unreachable',
      /bk is not installed there/,
    ],
    ['cannot be connected to', 'echo "No route to host" >&2; exit 255', 'unreachable', /No route to host/],
    ['breaks off', `${SERVE} | head -c 100; kill $$`, 'unreachable', /./],
    ['is silent', 'sleep 20', 'unreachable', /no answer within 1 s/],
    ['stops in the middle', `${SERVE} | (head -c 2000; sleep 20)`, 'unreachable', /./],
  ])('that %s is told so, in time', (_what, script, code, message) => {
    const done = cloneOver(script, { BK_SSH_TIMEOUT: '1' });
    expect(errorOf(done)).toMatchObject({ code, message: expect.stringMatching(message) });
    expect(done.stderr).not.toMatch(/[\x1b\x07]/);
    expect(explained(done)).toBe(true);
    expect(fs.existsSync(path.join(done.dst, 'file'))).toBe(false);
  });

  test('what it sends is no content until it is whole: cut off, then whole', () => {
    const root = source(Buffer.alloc(5_000_000, 'much of it '));
    const dst = path.join(fastFolder('bk-odd-'), 'here');
    const words = ['--json', 'clone', `ssh://x${root}`, dst];
    const cut = run(words, { env: shell(`${SERVE} | head -c 40000`) });
    expect(cut.code).toBe(4);
    expect(fs.readdirSync(path.dirname(dst)).includes('here') ? fs.readdirSync(dst) : []).toEqual(
      expect.not.arrayContaining(['file']),
    );
    expect(run(words, { env: shell(`exec ${SERVE}`) }).code).toBe(0);
    expect(rsyncDifferences(root, dst)).toEqual([]);
  });
});

describe('no address starts a program', () => {
  const marker = path.join(fastFolder('bk-marker-'), 'started');
  const env = shell(`echo "$@" >> '${marker}'; exit 255`);

  test.each([
    'ssh://-oProxyCommand=touch x/y',
    'ssh://-lroot@host/y',
    'ssh://host\n/y',
    '-oProxyCommand=x:y',
    'ext::sh -c touch%20x',
    '$(touch x):y',
  ])('%j', (address) => {
    const done = run(['--json', 'clone', '--', address, path.join(path.dirname(marker), 'new')], { env });
    expect(done.code).toBe(2);
    const to = run(['--json', '-C', path.dirname(marker), 'clone', '--', '/', address], { env });
    expect([2, 4]).toContain(to.code);
    expect(fs.existsSync(marker)).toBe(false);
  });

  test('a path is in no argument, and the words for ssh are always the same', () => {
    const root = source();
    run(['-C', root, 'remote', 'add', 'x', 'me@host:a b;$(touch x)\'"&|'], { env });
    const [words] = fs.readFileSync(marker, 'utf8').split('\n');
    expect(words).toMatch(/ -oBatchMode=yes -lme -- host bk serve --stdio$/);
    expect(words).not.toContain('touch');
  });
});

describe('both sides end', () => {
  const root = source(Buffer.alloc(80_000_000, 'a large file, so that there is some time '));
  let served = '';
  const env = (): Record<string, string> => {
    served = path.join(fastFolder('bk-pid-'), 'pid');
    return shell(`echo $$ > '${served}'; exec ${SERVE}`);
  };
  const pidOf = async (): Promise<number> => {
    await until(() => fs.existsSync(served) && fs.readFileSync(served, 'utf8').endsWith('\n'));
    return Number(fs.readFileSync(served, 'utf8'));
  };

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 130],
    ['SIGKILL', null],
  ] as const)('when this one gets %s', async (signal, code) => {
    const dst = path.join(fastFolder('bk-odd-'), 'here');
    const child = started(['clone', `ssh://x${root}`, dst], env());
    const ended = once(child, 'exit');
    const server = await pidOf();
    await until(() => fs.existsSync(path.join(dst, '.bk/clone.json')));
    child.kill(signal);
    expect((await ended)[0]).toBe(code);
    await until(() => !isAlive(server));
    expect(fs.readdirSync(dst)).toEqual(['.bk']);
    expect(run(['--json', 'clone', `ssh://x${root}`, dst], { env: env() }).code).toBe(0);
  });

  test('when the other one stands still', async () => {
    const dst = path.join(fastFolder('bk-odd-'), 'here');
    const child = started(['clone', `ssh://x${root}`, dst], { ...env(), BK_SSH_TIMEOUT: '1' });
    let said = '';
    child.stderr?.on('data', (text) => {
      said += text;
    });
    const ended = once(child, 'close');
    const server = await pidOf();
    kill(server, 'SIGSTOP');
    expect((await ended)[0]).toBe(4);
    expect(said).toContain('"code":"unreachable"');
    await until(() => {
      // It was asked to end, and does so once it goes on.
      kill(server, 'SIGCONT');
      return !isAlive(server);
    });
  });
});

describe('a key that is kept to a folder', () => {
  let sshd: Sshd;
  let root: string;
  let base: string;
  beforeAll(async () => {
    if (!hasSshd()) return;
    sshd = await Sshd.start();
    base = fastFolder('bk-kept-');
    root = path.join(base, 'root');
    for (const name of ['root/in', 'outside']) {
      fs.mkdirSync(path.join(base, name), { recursive: true });
      fs.writeFileSync(path.join(base, name, 'file'), `${name} secret`);
      repository(path.join(base, name));
    }
    fs.symlinkSync('../outside', path.join(root, 'out'));
    sshd.files.allow('kept', `${SERVE} --root '${root}'`);
  });
  const here = (): string => path.join(fastFolder('bk-odd-'), 'here');
  const clone = (address: string, dst = here()): Outcome & { dst: string } => ({
    ...run(['--json', 'clone', address, dst], { env: sshd.env }),
    dst,
  });

  test('reaches what is in it', (context) => {
    needsSshd(context);
    for (const address of ['ssh://kept/in', 'kept:in']) {
      const { code, stderr, dst } = clone(address);
      expect(code, stderr).toBe(0);
      expect(rsyncDifferences(path.join(root, 'in'), dst)).toEqual([]);
    }
  });

  test('and nothing else', (context) => {
    needsSshd(context);
    for (const address of [
      'ssh://kept/%2e%2e/outside',
      'ssh://kept/in/../../outside',
      'ssh://kept/out/.',
      `ssh://kept${base}/outside`,
      'kept:~/../outside',
      'ssh://kept/',
    ]) {
      const done = clone(address);
      expect([3, 4], done.stderr).toContain(done.code);
      expect(done.stderr).not.toContain('secret');
      expect(fs.existsSync(done.dst)).toBe(false);
    }
    for (const dst of ['ssh://kept/out/new', 'ssh://kept/../new', 'ssh://kept/out', 'ssh://kept/in/new']) {
      const made = run(['--json', '-C', path.join(base, 'outside'), 'clone', dst], { env: sshd.env });
      expect([3, 4], made.stderr).toContain(made.code);
    }
    expect(fs.readdirSync(base).sort()).toEqual(['outside', 'root']);
    expect(fs.readdirSync(root).sort()).toEqual(['in', 'out']);
    expect(fs.readdirSync(path.join(base, 'outside')).sort()).toEqual(['.bk', 'file']);
    const [, config = ''] = /-F '(.*)'/.exec(sshd.env['BK_SSH_COMMAND']!) ?? [];
    const asked = spawnSync('ssh', ['-F', config, 'kept', 'cat', path.join(base, 'outside/file')], {
      input: '',
    });
    expect(String(asked.stdout)).toBe('\0bk-wire 1 1 holes\n');
  });

  test('may be made to read only', (context) => {
    needsSshd(context);
    sshd.files.forbid('kept');
    sshd.files.allow('kept', `${SERVE} --read-only --root '${root}'`);
    const { code, stderr, dst } = clone('ssh://kept/in');
    expect(code, stderr).toBe(0);
    fs.writeFileSync(path.join(dst, 'new'), 'new');
    bk(['-C', dst, 'commit', '-m', 'new']);
    const before = rsyncDifferences(path.join(root, 'in'), dst);
    const pushed = run(['--json', '-C', dst, 'push'], { env: sshd.env });
    expect(pushed.stdout).toContain('read-only');
    expect(rsyncDifferences(path.join(root, 'in'), dst)).toEqual(before);
    const there = run(['--json', '-C', dst, 'clone', 'ssh://kept/new'], { env: sshd.env });
    expect(there.code, there.stderr).toBe(3);
    expect(fs.readdirSync(root).sort()).toEqual(['in', 'out']);
  });

  test('and then writes nothing there but its promises', (context) => {
    needsSshd(context);
    sshd.files.forbid('kept');
    sshd.files.allow('kept', `${SERVE} --read-only --root '${root}'`);
    const dst = path.join(temporaryFolder('bk-odd-'), 'here');
    const { code, stderr } = clone('ssh://kept/in', dst);
    expect(code, stderr).toBe(0);
    const before = filesOf(path.join(root, 'in'));
    const client = (...words: string[]) => bk(['-C', dst, ...words], { env: sshd.env, expect: [0] });
    client('fetch', 'origin');
    expect(client('drop', '--copies', '1', 'file')['done']).toMatchObject([{ path: 'file' }]);
    expect(client('get', 'file')['done']).toMatchObject([{ path: 'file' }]);
    const after = filesOf(path.join(root, 'in'));
    const changed = [...after].filter(([file, text]) => before.get(file) !== text).map(([file]) => file);
    expect(changed).toEqual(['.bk/leases.json']);
    expect([...before.keys()].filter((file) => !after.has(file))).toEqual([]);
    expect(JSON.parse(after.get('.bk/leases.json')!)).toEqual({ v: 1, leases: {} });
  });
});

/** Every file below a folder, bk's own too, with its bytes. */
function filesOf(folder: string): Map<string, string> {
  const entries = fs.readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  return new Map(files.sort().map((file) => [path.relative(folder, file), fs.readFileSync(file, 'latin1')]));
}

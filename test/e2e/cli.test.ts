import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { BK, bk, PROJECT, repository, run } from '../support/bk.ts';
import { needs, needsPrograms } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

/** A repository with a few files, committed. */
function small(): string {
  const root = temporaryFolder('bk-cli-');
  fs.mkdirSync(path.join(root, 'a/b'), { recursive: true });
  fs.writeFileSync(path.join(root, 'a/b/one'), 'one');
  fs.writeFileSync(path.join(root, 'two'), 'two');
  repository(root);
  return root;
}

/** An installation whose Node is told by what it prints. */
function fakeNode(file: string): void {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, `#!/bin/sh\necho "fake $(basename "$(dirname "$(dirname "$0")")")" "$@"\n`, {
    mode: 0o755,
  });
}

function installed(root: string): string {
  fs.cpSync(path.join(PROJECT, 'bin/bk'), path.join(root, 'bin/bk'));
  fs.cpSync(path.join(PROJECT, 'dist'), path.join(root, 'dist'), { recursive: true });
  return path.join(root, 'bin/bk');
}

describe('the launcher', () => {
  test('finds itself through a chain of links, and passes any arguments untouched', () => {
    const dir = temporaryFolder('bk link ');
    fs.mkdirSync(path.join(dir, 'bin'));
    fs.symlinkSync(BK, path.join(dir, 'real'));
    fs.symlinkSync('../real', path.join(dir, 'bin/bk'));
    const odd = ['', ' ', '$(x)', '`x`', '*', 'a\nb', "'", '"', '\\', '--', '-n'];
    for (const program of [path.join(dir, 'bin/bk'), './bin/bk']) {
      const done = run(['config', '-C', dir, ...odd], { program, cwd: dir });
      expect(done).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('too much on the command line'),
      });
    }
    expect(run(['--version'], { program: path.join(dir, 'bin/bk') }).stdout).toMatch(/^bk \d+\.\d+\.\d+\n$/);
  });

  test('takes the project’s Node, else the one npm put beside it, else the one in PATH', () => {
    const modules = path.join(temporaryFolder('bk-npm-'), 'node_modules');
    const program = installed(path.join(modules, 'bk'));
    const inPath = path.join(temporaryFolder('bk-path-'), 'inpath/bin');
    fakeNode(path.join(inPath, 'node'));
    const env = { PATH: `${inPath}:/usr/bin:/bin` };
    const said = () => run(['x', 'y z'], { program, env }).stdout;
    expect(said()).toMatch(/^fake inpath .*\/dist\/bk\.cjs x y z\n$/);
    fakeNode(path.join(modules, 'node/bin/node'));
    expect(said()).toMatch(/^fake node /);
    fs.renameSync(path.join(modules, 'node'), path.join(modules, 'hoisted'));
    fakeNode(path.join(modules, 'bk/node_modules/node/bin/node'));
    expect(said()).toMatch(/^fake node .*bk\.cjs/);
  });

  test('says what is missing: the build, or any Node', () => {
    const root = temporaryFolder('bk-alone-');
    const program = installed(root);
    const none = run(['status'], { program, env: { PATH: temporaryFolder() } });
    expect(none.code).toBe(4);
    expect(none.stderr).toMatch(/^bk: needs Node 22\.22 or newer: /);
    fs.rmSync(path.join(root, 'dist'), { recursive: true });
    const bare = run(['status'], { program });
    expect(bare).toMatchObject({
      code: 4,
      stdout: '',
      stderr: expect.stringMatching(/^bk: .*npm run build.*\n$/),
    });
  });

  test('an old Node is told so in one line, before anything native is loaded', (context) => {
    const candidates = (process.env['PATH'] ?? '').split(':').map((dir) => path.join(dir, 'node'));
    const old = candidates.find((node) => {
      const version = spawnSync(node, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout ?? '';
      return /^(?:\d|1\d|2[01])\./.test(version);
    });
    needs(context, 'a Node older than 22 in PATH', old !== undefined);
    const program = installed(temporaryFolder('bk-old-'));
    const env = { PATH: `${path.dirname(old ?? '')}:/usr/bin:/bin` };
    for (const args of [['--version'], ['status'], ['status', '--json']]) {
      const done = run(args, { program, env });
      expect(done).toMatchObject({ code: 4, stdout: '' });
      expect(done.stderr).toMatch(/^bk: needs Node 22\.22 or newer: this is (1\d|2[01])\..*\nhint: .*\n/);
    }
    expect(
      JSON.parse(run(['--json'], { program, env }).stderr.trim().split('\n').at(-1) ?? ''),
    ).toHaveProperty('error.hint');
  });
});

describe('output', () => {
  test('--json: one document on stdout, errors as the last line of stderr', () => {
    const root = small();
    const done = run(['status', '--json', '-C', root]);
    expect(JSON.parse(done.stdout)).toMatchObject({ repository: { root }, changes: [] });
    expect(done.stderr).toBe('');
    const failed = run(['show', '--json', 'deadbeef'], { cwd: root });
    expect(failed).toMatchObject({ code: 4, stdout: '' });
    const lines = failed.stderr.trim().split('\n');
    expect(lines[0]).toMatch(/^bk: /);
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({
      error: { code: 'not-found', message: expect.any(String) },
    });
  });

  test('exit codes of what is asked wrongly or in the wrong place', () => {
    const root = small();
    const outside = temporaryFolder('bk-none-');
    const codes: readonly (readonly [number, readonly string[], string])[] = [
      [2, ['stauts'], root],
      [2, ['status', '--no-such'], root],
      [2, ['status', '..'], root],
      [2, ['status', '.bk'], root],
      [2, ['config', 'copies', 'many'], root],
      [3, ['init', 'a'], root],
      [4, ['status'], outside],
      [4, ['-C', 'nowhere', 'status'], outside],
      [4, ['init', 'x/y'], outside],
      [1, ['config', 'author.name'], root],
      [0, ['config', 'copies'], root],
    ];
    for (const [code, args, cwd] of codes) {
      const done = run(args, { cwd });
      expect({ args, code: done.code }).toEqual({ args, code });
      if (code > 1) expect(done.stderr, args.join(' ')).toMatch(/^bk: .+\n/);
    }
    fs.writeFileSync(path.join(root, '.bk/config.json'), '{');
    expect(run(['status'], { cwd: root })).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('config.json'),
    });
  });

  test('a reader that goes away is no error, a full disk is one', () => {
    const root = small();
    const piped = spawnSync('bash', ['-c', '"$0" log | true; echo $PIPESTATUS', BK], {
      cwd: root,
      encoding: 'utf8',
    });
    expect(piped).toMatchObject({ stdout: '0\n', stderr: '' });
    const full = spawnSync('sh', ['-c', '"$0" log > /dev/full', BK], { cwd: root, encoding: 'utf8' });
    expect(full).toMatchObject({ status: 4, stderr: expect.stringContaining('no space') });
  });

  test('a long text arrives whole, whatever characters it has', () => {
    const module = JSON.stringify(path.join(PROJECT, 'packages/cli/output.ts'));
    const script = `import(${module}).then(({ writeOut }) => writeOut('a' + '\u{1f600}'.repeat(1_500_000)))`;
    const node = path.join(PROJECT, 'node_modules/.bin/node');
    const { stdout } = spawnSync(node, ['-e', script], { encoding: 'utf8', maxBuffer: 1 << 24 });
    expect(stdout === `a${'\u{1f600}'.repeat(1_500_000)}`).toBe(true);
  });

  test('names cannot obey: no control character reaches the output', () => {
    const root = temporaryFolder('bk-esc-');
    fs.writeFileSync(path.join(root, 'a\x1b]0;owned\x07\nb\u202e.txt'), '');
    bk(['init', root]);
    const done = run(['-C', root, 'status', '--color', 'never']);
    expect(done.stdout).toContain('a\\e]0;owned\\x07\\nb\\u202e.txt');
    expect(done.stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f\u202e]/);
  });
});

describe('paths', () => {
  test('are relative to the current folder or to DIR of -C', () => {
    const root = small();
    fs.appendFileSync(path.join(root, 'a/b/one'), '!');
    fs.appendFileSync(path.join(root, 'two'), '!');
    const changed = (args: string[], cwd: string) =>
      bk(['status', ...args], { cwd }).changes.map((change) => change.path);
    expect(changed(['one'], path.join(root, 'a/b'))).toEqual(['a/b/one']);
    expect(changed(['-C', path.join(root, 'a'), 'b', '../two'], '/')).toEqual(['a/b/one', 'two']);
    expect(changed([path.join(root, 'two')], '/tmp/..'.concat(root))).toEqual(['two']);
  });

  test('may be any bytes, given as they are or encoded', () => {
    const root = small();
    fs.writeFileSync(Buffer.from(`${root}/f\xff`, 'latin1'), 'x');
    const raw = ['bash', '-c', 'exec "$@" $\'f\\xff\'', 'bash'];
    for (const done of [
      run(['status', '--json'], { cwd: root, through: raw }),
      run(['status', '--json', '--encoded', 'f%FF'], { cwd: root }),
    ]) {
      expect(done.stderr).toBe('');
      expect(JSON.parse(done.stdout).changes).toMatchObject([{ path: 'f%FF', encoded: true, type: 'added' }]);
    }
  });
});

describe('on a terminal', () => {
  /** Runs bk on a pseudo-terminal; `typed` is what a person answers to the question. */
  async function onTerminal(root: string, args: readonly string[], typed: string) {
    const words = [BK, '-C', root, ...args].map((word) => `'${word}'`).join(' ');
    const env = { PATH: process.env['PATH'] ?? '', TERM: 'xterm' };
    const child = spawn('script', ['-qefc', words, '/dev/null'], { env });
    let text = '';
    let asked = false;
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (asked || !text.includes('[y/N] ')) return;
      asked = true;
      child.stdin.write(typed);
    });
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, text };
  }

  test.for([
    ['y\n', 'confirmed'],
    ['n\n', 'kept'],
    ['\n', 'kept'],
  ])('deletions are asked about: %j means %s', async ([typed = '', policy], context) => {
    needsPrograms(context, 'script');
    const root = small();
    fs.rmSync(path.join(root, 'two'));
    const done = await onTerminal(root, ['commit', '-m', 'gone'], typed);
    expect(done.text).toContain('[y/N]');
    expect(done.code).toBe(0);
    const { commits } = bk(['-C', root, 'log', '-n', '1']) as unknown as { commits: { deletions: string }[] };
    expect(commits[0]?.deletions).toBe(policy);
  });

  test('Ctrl-C at the question ends with 130 and commits nothing', async (context) => {
    needsPrograms(context, 'script');
    const root = small();
    const before = bk(['-C', root, 'status'])['head'];
    fs.rmSync(path.join(root, 'two'));
    const done = await onTerminal(root, ['commit', '-m', 'gone'], '\x03');
    expect(done.code).toBe(130);
    expect(done.text).toContain('interrupted; give the same command again');
    expect(bk(['-C', root, 'status'])['head']).toBe(before);
  });

  test('without one nobody is asked, and deletions are kept', () => {
    const root = small();
    fs.rmSync(path.join(root, 'two'));
    expect(bk(['-C', root, 'commit'], { input: 'y\n' }).deletions).toEqual({ confirmed: 0, kept: 1 });
  });
});

test('completion scripts are valid and complete verbs and options', () => {
  const script = run(['completion', 'bash']).stdout;
  const ask = (...words: string[]) =>
    spawnSync(
      'bash',
      [
        '-c',
        `${script}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _bk; printf '%s\\n' "\${COMPREPLY[@]}"`,
        'bash',
        ...words,
      ],
      { encoding: 'utf8' },
    )
      .stdout.trim()
      .split('\n');
  expect(ask('bk', 'comm')).toEqual(['commit']);
  expect(ask('bk', '-C', '/tmp', 'commit', '--allow')).toEqual(['--allow-mass-delete']);
  expect(ask('bk', 'completion', 'z')).toEqual(['zsh']);
  expect(run(['completion', 'zsh']).stdout).toMatch(/^#compdef bk\n/);
  expect(run(['completion', 'fish']).code).toBe(2);
});

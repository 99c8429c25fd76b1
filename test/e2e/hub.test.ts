import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { type Answer, errorOf, type Outcome, run, runBeside } from '../support/bk.ts';
import { GitHost, type GitHostSpec, needsGitHost } from '../support/git-http.ts';
import { needsPrograms } from '../support/programs.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';

/** Two machines that never see each other, and a git host that both reach. */
describe('a git host', () => {
  let hub: GitHost;
  let a: string;
  let b: string;
  let env: Record<string, string>;

  beforeEach(async (context) => {
    needsGitHost(context);
    env = { HOME: temporaryFolder('bk-home-') };
    await start();
    a = machine('a');
    smallTree(a);
    b = machine('b');
    run(['-C', a, 'commit', '-m', 'first']);
  });
  afterEach(() => hub?.stop());

  async function start(spec: GitHostSpec = {}): Promise<void> {
    hub?.stop();
    hub = await GitHost.start(spec);
    hub.make();
  }

  function machine(name: string): string {
    const root = path.join(fastFolder(`bk-${name}-`), name);
    fs.mkdirSync(root);
    run(['init', root]);
    return root;
  }

  function said(root: string, ...args: string[]): Promise<Outcome> {
    return runBeside(['-C', root, ...args], { env });
  }

  async function bk(root: string, ...args: string[]): Promise<Answer> {
    const done = await said(root, '--json', ...args);
    expect(done.stderr).not.toMatch(/"error"/);
    return JSON.parse(done.stdout) as Answer;
  }

  async function acquainted(...roots: string[]): Promise<void> {
    for (const root of roots) await bk(root, 'remote', 'add', 'hub', hub.url());
  }

  /** What an answer says of the hub. */
  function ofHub(answer: Answer, list = 'remotes'): Readonly<Record<string, unknown>> {
    const found = (answer[list] as { name: string }[]).find(({ name }) => name === 'hub');
    expect(found).toBeDefined();
    return found as unknown as Readonly<Record<string, unknown>>;
  }

  function head(root: string): string {
    return fs.readFileSync(path.join(root, '.bk/history/refs/heads/main'), 'utf8').trim();
  }

  test('carries history and presence between machines that never meet, and no contents', async () => {
    await acquainted(a, b);
    const pushed = ofHub(await bk(a, 'push'));
    expect(pushed).toMatchObject({
      moved: true,
      head: head(a),
      historyOnly: true,
      sent: { files: 0, bytes: 0 },
    });
    expect(hub.git(['rev-parse', 'main'])).toBe(head(a));
    expect(ofHub(await bk(b, 'fetch'))).toMatchObject({
      head: head(a),
      presences: [{ name: 'a', moved: true }],
    });
    const merged = await bk(b, 'merge', 'hub');
    expect(merged).toMatchObject({ result: 'fast-forward', commit: head(a) });
    expect((merged['missing'] as unknown[]).length).toBeGreaterThan(10);
    const where = (await bk(b, 'where', 'top.bin'))['files'] as { copies: { name: string }[] }[];
    expect(where[0]?.copies.map(({ name }) => name)).toEqual(['a']);
    expect((await bk(b, 'status')).changes).toEqual([]);

    fs.writeFileSync(path.join(b, 'from b'), 'b');
    fs.mkdirSync(path.join(a, 'moved'));
    fs.renameSync(path.join(a, 'photos'), path.join(a, 'moved/photos'));
    expect(ofHub(await bk(b, 'sync'), 'pushed')).toMatchObject({ moved: true });
    const synced = await bk(a, 'sync');
    expect(ofHub(synced)).toMatchObject({ standing: 'diverged', merged: { result: 'merged' } });
    expect(ofHub(synced, 'pushed')).toMatchObject({ moved: true, head: head(a) });
    await bk(b, 'sync');
    expect(head(b)).toBe(head(a));
    expect(fs.existsSync(path.join(a, 'from b'))).toBe(false);
    const copies = (await bk(a, 'where', 'from b'))['files'] as { copies: { name: string }[] }[];
    expect(copies[0]?.copies.map(({ name }) => name)).toEqual(['b']);
    const under = (await bk(a, 'copies', '--min', '2'))['under'] as { copies: number }[];
    expect(under.length).toBeGreaterThan(10);
    expect(under.every(({ copies }) => copies === 1)).toBe(true);

    const calm = await bk(a, 'sync');
    expect(ofHub(calm)).toMatchObject({ standing: 'same', moved: false });
    expect(ofHub(calm, 'pushed')).toMatchObject({ moved: false, standing: 'same' });
    expect(hub.git(['fsck', '--strict', '--no-dangling'])).toBe('');
    const refs = hub.git(['for-each-ref', '--format=%(refname)']).split('\n');
    expect(refs).toHaveLength(3);
    const copy = path.join(temporaryFolder(), 'copy');
    execFileSync('git', ['clone', '-q', path.join(hub.folder, 'collection.git'), copy]);
    expect(JSON.parse(fs.readFileSync(path.join(copy, 'moved/photos/2019/img_0.jpg'), 'utf8'))).toMatchObject(
      {
        type: 'file',
        v: 1,
      },
    );
  }, 120_000);

  test('is where a new machine gets the history; its contents come from elsewhere', async () => {
    await acquainted(a);
    await bk(a, 'push');
    const c = path.join(temporaryFolder('bk-c-'), 'c');
    const done = await runBeside(['--json', 'clone', hub.url(), c], { env });
    expect(done.stderr).not.toMatch(/"error"/);
    const made = JSON.parse(done.stdout) as Answer;
    expect(made).toMatchObject({ commit: head(a) });
    expect((made['missing'] as unknown[]).length).toBeGreaterThan(10);
    expect((await bk(c, 'status')).changes).toEqual([]);
    expect(await bk(c, 'check')).toMatchObject({ ok: true });
    fs.writeFileSync(path.join(c, 'of c'), 'c');
    expect(await bk(c, 'sync')).toMatchObject({ pushed: [{ name: 'origin', moved: true }] });
    await bk(a, 'sync');
    expect(head(a)).toBe(head(c));
    await bk(c, 'remote', 'add', 'a', a);
    expect(await bk(c, 'get', '.')).toMatchObject({ refused: [] });
    expect(fs.readFileSync(path.join(c, 'top.bin'))).toEqual(fs.readFileSync(path.join(a, 'top.bin')));
  }, 60_000);

  test('is no copy: nothing is let go of for it, and nothing is asked of it', async () => {
    await acquainted(a);
    await bk(a, 'push');
    hub.log.length = 0;
    const drop = await said(a, 'drop', 'top.bin', '--copies', '1');
    expect(drop.code).toBe(3);
    expect(drop.stdout).toMatch(/none does/);
    fs.mkdirSync(path.join(a, '../card'));
    fs.copyFileSync(path.join(a, 'top.bin'), path.join(a, '../card/top.bin'));
    const covered = await bk(a, 'covered', path.join(a, '../card'), '--min', '2');
    expect(covered).toMatchObject({ covered: { files: 0 } });
    expect(hub.log).toEqual([]);
    const show = await said(a, 'remote', 'show', 'hub');
    expect(show.stdout).toMatch(/keeps +the history, and what others hold; no contents/);
    expect(show.stdout).toMatch(/as here/);
  });

  test('of two that push at the same time one is told, and succeeds after a sync', async () => {
    await acquainted(a, b);
    await bk(a, 'push');
    await bk(b, 'merge', 'hub');
    for (const root of [a, b]) {
      fs.writeFileSync(path.join(root, `of ${path.basename(root)}`), root);
      run(['-C', root, 'commit', '-m', 'own']);
    }
    let other: Promise<unknown> | undefined;
    // When a has seen where main is and is about to send, b is faster.
    hub.instead = (asked) => {
      const isPush = asked.method === 'POST' && /receive-pack/.test(asked.url ?? '');
      if (!isPush || other !== undefined || hub.git(['rev-parse', 'main']) === head(b)) return false;
      const parent = hub.git(['rev-parse', 'main']);
      other = Promise.resolve();
      const pushed = spawnSync(
        'git',
        [
          '--git-dir',
          path.join(b, '.bk/history'),
          'push',
          '-q',
          path.join(hub.folder, 'collection.git'),
          'main',
        ],
        { encoding: 'utf8' },
      );
      expect(pushed.stderr).toBe('');
      expect(hub.git(['rev-parse', 'main'])).not.toBe(parent);
      return false;
    };
    const lost = ofHub(await bk(a, 'push'));
    expect(other).toBeDefined();
    expect(lost).toMatchObject({ moved: false, reason: expect.stringMatching(/merge|moved meanwhile/) });
    expect(hub.git(['rev-parse', 'main'])).toBe(head(b));
    expect(ofHub(await bk(a, 'sync'), 'pushed')).toMatchObject({ moved: true });
    await bk(b, 'sync');
    expect(head(b)).toBe(head(a));
    expect(hub.git(['rev-parse', 'main'])).toBe(head(a));
    expect(hub.git(['fsck', '--strict', '--no-dangling'])).toBe('');
  }, 60_000);

  test('what its hooks decline is told in its words', async () => {
    const hook = path.join(hub.folder, 'collection.git/hooks/update');
    fs.writeFileSync(hook, '#!/bin/sh\ntest "$1" != refs/heads/main\n', { mode: 0o755 });
    await acquainted(a);
    expect(ofHub(await bk(a, 'push'))).toMatchObject({
      moved: false,
      reason: expect.stringMatching(/hook declined/),
    });
    expect(hub.git(['for-each-ref', '--format=%(refname)'])).toMatch(/^refs\/bk\/repositories\/\S+$/);
  });

  test('may be added before there is anything, and says what is missing', async () => {
    const added = await said(a, 'remote', 'add', 'later', hub.url('later.git'));
    expect(added).toMatchObject({ code: 0, stderr: expect.stringMatching(/no repository/) });
    hub.make('later.git');
    expect((await said(a, 'push', 'later')).code).toBe(0);
    hub.stop();
    const gone = await said(a, 'push', 'later');
    expect(gone).toMatchObject({ code: 4, stdout: expect.stringMatching(/ECONNREFUSED/) });
  });

  describe('that wants to know who comes', () => {
    const SECRET = 's3cret-of-ann';
    beforeEach(() => start({ user: 'ann', password: SECRET }));

    function helper(password: string): string {
      const [script, log] = [path.join(env['HOME']!, 'helper'), path.join(env['HOME']!, 'log')];
      fs.writeFileSync(
        script,
        `#!/bin/sh\necho "$1" >> ${log}\n[ "$1" = get ] && printf 'username=ann\\npassword=%s\\n' '${password}'\nexit 0\n`,
        { mode: 0o755 },
      );
      fs.writeFileSync(path.join(env['HOME']!, '.gitconfig'), `[credential]\n\thelper = ${script}\n`);
      return log;
    }

    /** Nothing of a password is in what was printed or kept. */
    function expectKeptSecret(root: string, ...outcomes: Outcome[]): void {
      for (const { stdout, stderr } of outcomes) expect(stdout + stderr).not.toContain(SECRET);
      const found = spawnSync('grep', ['-rl', SECRET, path.join(root, '.bk')], { encoding: 'utf8' });
      expect(found.stdout).toBe('');
    }

    test('gets a password from a credential helper, which hears that it was right', async () => {
      const log = helper(SECRET);
      const added = await said(a, 'remote', 'add', 'hub', hub.url());
      const pushed = await said(a, 'push');
      expect(pushed).toMatchObject({ code: 0, stdout: expect.stringMatching(/moved to/) });
      expect(hub.git(['rev-parse', 'main'])).toBe(head(a));
      expect(new Set(fs.readFileSync(log, 'utf8').trim().split('\n'))).toEqual(new Set(['get', 'store']));
      expectKeptSecret(a, added, pushed);
    });

    test('a wrong one is let go of, and said so', async () => {
      const log = helper('wrong');
      const added = await said(a, '--json', 'remote', 'add', 'hub', hub.url());
      expect(added.code).toBe(3);
      expect(errorOf(added)).toMatchObject({
        code: 'refused',
        message: expect.stringMatching(/user and password/),
      });
      expect(fs.readFileSync(log, 'utf8').trim().split('\n')).toEqual(['get', 'erase']);
    });

    test('a helper that a folder names is not run', async () => {
      const evil = path.join(a, 'project');
      fs.mkdirSync(path.join(evil, '.git'), { recursive: true });
      execFileSync('git', ['init', '-q', evil]);
      const ran = path.join(env['HOME']!, 'ran');
      execFileSync('git', ['-C', evil, 'config', 'credential.helper', `!touch ${ran}; false`]);
      const done = await runBeside(['-C', a, '--json', 'remote', 'add', 'hub', hub.url()], {
        cwd: evil,
        env: { ...env, GIT_DIR: path.join(evil, '.git'), GIT_CONFIG_GLOBAL: path.join(evil, '.git/config') },
      });
      expect(errorOf(done)).toMatchObject({
        code: 'refused',
        message: expect.stringMatching(/who you are/),
        hint: expect.stringMatching(/BK_GIT_TOKEN/),
      });
      expect(fs.existsSync(ran)).toBe(false);
    });

    test('a token goes to the host that it is for, and to no other', async () => {
      const host = new URL(hub.origin).host;
      const url = hub.url().replace('http://', 'http://ann@');
      env['BK_GIT_TOKEN'] = SECRET;
      const homeless = await said(a, '--json', 'remote', 'add', 'hub', url);
      expect(errorOf(homeless)).toMatchObject({ code: 'usage', hint: `BK_GIT_HOST=${host}` });
      env['BK_GIT_HOST'] = 'git.example.org';
      const other = await said(a, '--json', 'remote', 'add', 'hub', url);
      expect(errorOf(other)).toMatchObject({ code: 'refused' });
      expect(hub.log.some(({ authorization }) => authorization !== undefined)).toBe(false);
      env['BK_GIT_HOST'] = host;
      const added = await said(a, 'remote', 'add', 'hub', url);
      const pushed = await said(a, 'push');
      expect(pushed.code).toBe(0);
      expect(hub.git(['rev-parse', 'main'])).toBe(head(a));
      expectKeptSecret(a, homeless, other, added, pushed);
    });

    test('what is known of us is not told to another host', async () => {
      const elsewhere = await GitHost.start({ user: 'ann', password: 'other' });
      elsewhere.make();
      helper(SECRET);
      hub.instead = (asked, answer) => {
        if (asked.headers.authorization === undefined || !/info/.test(asked.url ?? '')) return false;
        answer.writeHead(302, { Location: elsewhere.origin + asked.url }).end();
        return true;
      };
      env['BK_GIT_TOKEN'] = SECRET;
      env['BK_GIT_HOST'] = new URL(hub.origin).host;
      fs.rmSync(path.join(env['HOME']!, '.gitconfig'));
      const done = await said(a, '--json', 'remote', 'add', 'hub', hub.url());
      expect(errorOf(done)).toMatchObject({ code: 'refused', message: expect.stringMatching(/who you are/) });
      expect(elsewhere.log.map(({ authorization }) => authorization)).toEqual([undefined]);
    });
  });

  /** Of a host that only who is told of it believes. @returns its file, and both parts */
  function certificate(name: string): { readonly file: string; readonly tls: { key: string; cert: string } } {
    const folder = temporaryFolder('bk-cert-');
    const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
    const who = ['-subj', '/CN=bk', '-addext', `subjectAltName=${name}`];
    const how = ['req', '-x509', ...curve, '-nodes', '-days', '2', ...who, '-keyout', key, '-out', cert];
    execFileSync('openssl', how, { stdio: 'ignore' });
    return { file: cert, tls: { key: fs.readFileSync(key, 'utf8'), cert: fs.readFileSync(cert, 'utf8') } };
  }

  test('speaks over https, with a certificate that must be known', async (context) => {
    needsPrograms(context, 'openssl');
    const { file, tls } = certificate('IP:127.0.0.1');
    await start({ tls });
    const unknown = await said(a, 'remote', 'add', 'hub', hub.url());
    expect(unknown.stderr).toMatch(/SELF_SIGNED/);
    env['NODE_EXTRA_CA_CERTS'] = file;
    const pushed = await said(a, 'push', 'hub');
    expect(pushed).toMatchObject({ code: 0, stdout: expect.stringMatching(/moved to/) });
    expect(hub.git(['rev-parse', 'main'])).toBe(head(a));
  });

  test('is reached through the proxy of the environment', async (context) => {
    needsPrograms(context, 'openssl');
    const { file, tls } = certificate('DNS:git.example.org');
    await start({ tls });
    const asked: (string | undefined)[] = [];
    const proxy = http.createServer().on('connect', (question: http.IncomingMessage, client: net.Socket) => {
      asked.push(question.url);
      const through = net.connect(Number(new URL(hub.origin).port), '127.0.0.1', () => {
        client.write('HTTP/1.1 200 OK\r\n\r\n');
        through.pipe(client).pipe(through);
      });
      for (const end of [client, through]) end.on('error', () => end.destroy());
    });
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    env['NODE_EXTRA_CA_CERTS'] = file;
    env['https_proxy'] = `http://127.0.0.1:${(proxy.address() as net.AddressInfo).port}`;
    await said(a, 'remote', 'add', 'hub', 'https://git.example.org/collection.git');
    expect(await said(a, 'push')).toMatchObject({ code: 0, stdout: expect.stringMatching(/moved to/) });
    expect(new Set(asked)).toEqual(new Set(['git.example.org:443']));
    proxy.closeAllConnections();
    proxy.close();
  });

  test('that only knows the older protocol serves as well', async () => {
    await start({ version0: true });
    await acquainted(a, b);
    await bk(a, 'push');
    await bk(b, 'fetch');
    await bk(b, 'merge', 'hub');
    expect(head(b)).toBe(head(a));
    fs.writeFileSync(path.join(b, 'more'), 'x');
    await bk(b, 'sync');
    await bk(a, 'sync');
    expect(head(a)).toBe(head(b));
    expect(hub.git(['rev-parse', 'main'])).toBe(head(b));
  }, 60_000);
});

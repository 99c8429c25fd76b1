import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BkError } from '@bk/core';

/** Who we are at a git host. Never part of a message, an address, a log or a config. */
export interface Credential {
  readonly username: string;
  readonly password: string;
  /** As the helpers gave it, to be told what became of it. */
  readonly lines: readonly string[];
}

export interface Credentials {
  /** @param user who the address says we are. Undefined: nothing is known that would let us in */
  fill(url: URL, user: string | undefined): Promise<Credential | undefined>;
  /** Whether the host took it, so that helpers keep it, or let go of it. */
  settle(credential: Credential, good: boolean): Promise<void>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * A token from the environment for the one host that `BK_GIT_HOST` names: `BK_GIT_TOKEN`. Else what git's credential
 * helpers know, if there is a git.
 */
export function credentialsFrom(env: Environment): Credentials {
  return {
    fill: async (url, user) => tokenFor(url, user, env) ?? (await ask(url, user, env)),
    settle: async ({ lines }, good) => {
      if (lines.length > 0) await gitCredential(good ? 'approve' : 'reject', lines, env);
    },
  };
}

/** A token never goes to a host that it was not made for, so without the host it goes nowhere. */
function tokenFor(url: URL, user: string | undefined, env: Environment): Credential | undefined {
  const { BK_GIT_TOKEN: token, BK_GIT_HOST: host } = env;
  if (token === undefined || token === '') return undefined;
  if (host === undefined || host === '')
    throw new BkError('usage', 'cannot use BK_GIT_TOKEN: BK_GIT_HOST does not say for which host it is', {
      hint: `BK_GIT_HOST=${url.host}`,
    });
  if (host.toLowerCase() !== url.host && host.toLowerCase() !== url.hostname) return undefined;
  if (!isField(token))
    throw new BkError('usage', 'cannot use BK_GIT_TOKEN: it has characters that no token has');
  return { username: user ?? 'git', password: token, lines: [] };
}

async function ask(url: URL, user: string | undefined, env: Environment): Promise<Credential | undefined> {
  const asked = [
    `protocol=${url.protocol.slice(0, -1)}`,
    `host=${url.host}`,
    `path=${decodeURIComponent(url.pathname).slice(1)}`,
    ...(user === undefined ? [] : [`username=${user}`]),
  ];
  if (!asked.every(isField)) return undefined;
  const lines = (await gitCredential('fill', asked, env))?.split('\n').filter((line) => line !== '');
  const value = (key: string) =>
    lines?.find((line) => line.startsWith(`${key}=`))?.slice(key.length + 1) ?? '';
  const [username, password] = [value('username'), value('password')];
  if (lines === undefined || password === '' || !isField(username + password)) return undefined;
  return { username, password, lines };
}

function isField(text: string): boolean {
  return !/\p{Cc}/u.test(text);
}

/** What helpers may need of the environment; nothing that would lead git to another repository or configuration. */
const KEPT =
  /^(?:PATH|HOME|USER|LOGNAME|TMPDIR|TERM|LANG|LC_\w+|XDG_\w+|SSH_AUTH_SOCK|DISPLAY|WAYLAND_DISPLAY|DBUS_SESSION_BUS_ADDRESS|GPG_TTY|GNUPGHOME|PASSWORD_STORE_DIR)$/;
const PATIENCE_MS = 60_000;
const MOST = 64 * 1024;

/** Undefined: there is no git, or it has no answer. In `/`, where no folder's own `.git/config` can name a helper. */
function gitCredential(
  action: 'fill' | 'approve' | 'reject',
  lines: readonly string[],
  env: Environment,
): Promise<string | undefined> {
  const git = programIn(env['PATH'] ?? '', 'git');
  if (git === undefined) return Promise.resolve(undefined);
  const { isatty } = process.getBuiltinModule('node:tty');
  const isAsking = action === 'fill' && isatty(0) && isatty(2);
  const kept = Object.entries(env).filter(([name]) => KEPT.test(name));
  return new Promise((resolve) => {
    const child = spawn(git, ['credential', action], {
      cwd: '/',
      env: { ...Object.fromEntries(kept), GIT_TERMINAL_PROMPT: isAsking ? '1' : '0' },
      // A helper that asks does so on the terminal itself.
      stdio: ['pipe', 'pipe', isAsking ? 'inherit' : 'ignore'],
      ...(isAsking ? {} : { timeout: PATIENCE_MS, killSignal: 'SIGKILL' as const }),
    });
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (said.length < MOST) said += text;
    });
    child.once('error', () => resolve(undefined));
    child.once('close', (code) => resolve(code === 0 ? said : undefined));
    child.stdin?.on('error', () => {});
    child.stdin?.end(`${lines.join('\n')}\n\n`);
  });
}

/** Only absolute folders of PATH: a program that lies in the user's tree is not git. */
function programIn(searched: string, name: string): string | undefined {
  for (const folder of searched.split(':')) {
    if (!path.isAbsolute(folder)) continue;
    const file = path.join(folder, name);
    try {
      fs.accessSync(file, fs.constants.X_OK);
      if (fs.statSync(file).isFile()) return file;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    }
  }
  return undefined;
}

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import type { TestContext } from 'vitest';
import { needs } from './programs.ts';
import { atEnd, temporaryFolder } from './temporary.ts';

/** git's own server program, of which a web server runs one for each request (CGI). */
const BACKEND = backend();

function backend(): string | undefined {
  const done = spawnSync('git', ['--exec-path'], { encoding: 'utf8' });
  const file = path.join((done.stdout ?? '').trim(), 'git-http-backend');
  return done.status === 0 && fs.existsSync(file) ? file : undefined;
}

export const hasGitHost = BACKEND !== undefined;

export function needsGitHost(context: Pick<TestContext, 'skip'>): void {
  needs(context, 'git http-backend', hasGitHost);
}

export interface GitHostSpec {
  /** Where its repositories are; absent: a new folder. */
  readonly folder?: string;
  /** Who may come in; absent: everybody. */
  readonly user?: string;
  readonly password?: string;
  /** By a certificate of its own. */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Only the older protocol. */
  readonly version0?: boolean;
}

/** A git host on this machine: real git behind a small web server. */
export class GitHost {
  readonly folder: string;
  /** Method, path and query of every request, and whether it said who it is. */
  readonly log: { readonly asked: string; readonly authorization: string | undefined }[] = [];
  readonly #spec: GitHostSpec;
  readonly #server: http.Server;
  /** Answers in the place of git, where it wants to. */
  instead: ((asked: http.IncomingMessage, answer: http.ServerResponse) => boolean) | undefined;

  private constructor(spec: GitHostSpec) {
    this.#spec = spec;
    this.folder = spec.folder ?? temporaryFolder('bk-hub-');
    const answer = (asked: http.IncomingMessage, to: http.ServerResponse) => this.#answer(asked, to);
    this.#server = spec.tls === undefined ? http.createServer(answer) : https.createServer(spec.tls, answer);
  }

  static async start(spec: GitHostSpec = {}): Promise<GitHost> {
    const host = new GitHost(spec);
    host.#server.listen(0, '127.0.0.1');
    await once(host.#server, 'listening');
    atEnd(() => host.stop());
    return host;
  }

  get origin(): string {
    const scheme = this.#spec.tls === undefined ? 'http' : 'https';
    return `${scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  url(name = 'collection.git'): string {
    return `${this.origin}/${name}`;
  }

  /** A new repository without anything in it, as a host makes them. */
  make(name = 'collection.git'): string {
    const folder = path.join(this.folder, name);
    execFileSync('git', ['init', '-q', '--bare', '-b', 'main', folder]);
    return folder;
  }

  git(args: readonly string[], name = 'collection.git'): string {
    const git = ['--git-dir', path.join(this.folder, name), ...args];
    return execFileSync('git', git, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(asked: http.IncomingMessage, to: http.ServerResponse): void {
    const { authorization } = asked.headers;
    this.log.push({ asked: `${asked.method} ${asked.url}`, authorization });
    if (this.instead?.(asked, to) === true) return;
    const { user, password } = this.#spec;
    const right = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    if (user !== undefined && authorization !== right) {
      to.writeHead(401, { 'WWW-Authenticate': 'Basic realm="hub"' }).end('who are you?');
      return;
    }
    runBackend(asked, to, this.#environment(asked));
  }

  #environment(asked: http.IncomingMessage): Record<string, string> {
    const url = new URL(asked.url ?? '/', 'http://host');
    const protocol = asked.headers['git-protocol'];
    return {
      PATH: process.env['PATH'] ?? '',
      GIT_PROJECT_ROOT: this.folder,
      GIT_HTTP_EXPORT_ALL: '1',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'http.receivepack',
      GIT_CONFIG_VALUE_0: 'true',
      HOME: this.folder,
      REMOTE_ADDR: '127.0.0.1',
      REMOTE_USER: 'ann',
      REQUEST_METHOD: asked.method ?? 'GET',
      PATH_INFO: decodeURIComponent(url.pathname),
      QUERY_STRING: url.search.slice(1),
      CONTENT_TYPE: asked.headers['content-type'] ?? '',
      ...(asked.headers['content-length'] && { CONTENT_LENGTH: asked.headers['content-length'] }),
      ...(typeof protocol === 'string' && this.#spec.version0 !== true && { GIT_PROTOCOL: protocol }),
    };
  }
}

/** What a CGI program says: headers, an empty line, the body. */
function runBackend(asked: http.IncomingMessage, to: http.ServerResponse, env: Record<string, string>): void {
  const child = spawn(BACKEND ?? 'git-http-backend', [], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  asked.pipe(child.stdin);
  child.stdin.on('error', () => {});
  let head = Buffer.alloc(0);
  let begun = false;
  child.stdout.on('data', (chunk: Buffer) => {
    if (begun) {
      to.write(chunk);
      return;
    }
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    begun = true;
    for (const line of head.toString('latin1', 0, end).split('\r\n')) {
      const [name = '', value = ''] = line.split(': ');
      if (name === 'Status') to.statusCode = Number.parseInt(value, 10);
      else to.setHeader(name, value);
    }
    to.write(head.subarray(end + 4));
  });
  child.on('close', () => to.end());
}

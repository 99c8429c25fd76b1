import { once } from 'node:events';
import type http from 'node:http';
import type { GitId } from '@bk/core';
import { Forge, packOf } from './forge.ts';
import { FILE } from './hostile-history.ts';

/** What a host that means ill, or is none, answers to each of the three questions. */
export interface Answers {
  readonly discovery?: Answer;
  readonly refs?: Answer;
  readonly fetch?: Answer;
  readonly push?: Answer;
  /** What is fetched; absent: a commit that nobody has. */
  readonly tip?: GitId;
}

/** A body of the right type, or the whole answer. */
export type Answer = string | Buffer | ((asked: http.IncomingMessage, to: http.ServerResponse) => void);
export type HostileHost = readonly [
  mirrors: string,
  what: string,
  does: 'refs' | 'fetch' | 'send',
  Answers,
  code: string,
  told: RegExp,
];

export const ID = 'a'.repeat(40) as GitId;
export const FLUSH = '0000';
export const V2 = lines('version 2\n', 'ls-refs\n', 'fetch=shallow\n', 'object-format=sha1\n') + FLUSH;
export const PACKFILE = lines('packfile\n');
export const PATIENCE_MS = 700;

export function lines(...texts: readonly (string | Buffer)[]): string {
  return texts
    .map((text) => {
      const body = Buffer.from(text);
      return (body.length + 4).toString(16).padStart(4, '0') + body.toString('latin1');
    })
    .join('');
}

export function band(number: number, data: Buffer | string): string {
  return lines(Buffer.concat([Buffer.from([number]), Buffer.from(data)]));
}

/** Refs by the older protocol, as a push begins with them. */
export function offered(...refs: readonly string[]): string {
  const [first = `${'0'.repeat(40)} capabilities^{}`, ...more] = refs;
  const can = 'report-status side-band-64k object-format=sha1';
  const all =
    lines('# service=git-receive-pack\n') +
    FLUSH +
    lines(`${first}\0${can}\n`, ...more.map((ref) => `${ref}\n`));
  return all + FLUSH;
}

/** What it says of a push, beside its messages. */
export function report(...said: readonly string[]): string {
  return band(1, lines(...said) + FLUSH) + FLUSH;
}

/** A pack that git would take, whose one file is not what bk writes. */
export function foreignPack(): { readonly pack: Buffer; readonly tip: GitId } {
  const forge = new Forge();
  const tip = forge.commit(forge.tree([FILE, 'a', forge.add('blob', 'no record\n')]));
  return { pack: packOf(forge.entries), tip };
}

export const page: Answer = (_asked, to) =>
  to.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Sign in</h1>');
export const status =
  (code: number): Answer =>
  (_asked, to) =>
    to.writeHead(code).end();
export const redirect =
  (location: string): Answer =>
  (_asked, to) =>
    to.writeHead(302, { Location: location }).end();
/** The right type, then so many times the same, until the reader has had enough. */
export const endless =
  (begin: string, more: string): Answer =>
  async (asked, to) => {
    to.writeHead(200, { 'Content-Type': typeOf(asked) });
    to.write(begin, 'latin1');
    while (!to.destroyed)
      if (!to.write(more.repeat(1000), 'latin1')) await Promise.race([once(to, 'drain'), once(to, 'close')]);
  };
export const silent: Answer = (asked, to) => {
  to.writeHead(200, { 'Content-Type': typeOf(asked) });
  to.flushHeaders();
};
export const cut =
  (body: string): Answer =>
  (asked, to) => {
    to.writeHead(200, { 'Content-Type': typeOf(asked), 'Content-Length': String(body.length + 100) });
    to.write(body, 'latin1', () => to.destroy());
  };

export function typeOf({ url = '', method }: http.IncomingMessage): string {
  const service = /git-(?:upload|receive)-pack/.exec(url)?.[0] ?? '';
  return `application/x-${service}-${method === 'GET' ? 'advertisement' : 'result'}`;
}

/** So slowly that no silence is long enough to give up. */
export function trickling(begin: string, more: string): Answer {
  return (asked, to) => {
    to.writeHead(200, { 'Content-Type': typeOf(asked) });
    to.write(begin, 'latin1');
    const timer = setInterval(() => to.write(more, 'latin1'), PATIENCE_MS / 10);
    to.on('close', () => clearInterval(timer));
  };
}

export function* unasked() {
  const forge = new Forge();
  forge.commit(forge.tree([FILE, 'a', forge.record()]));
  yield* forge.entries;
}

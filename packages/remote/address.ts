import { BkError } from '@bk/core';

/** Where a remote is. `text` is what the person wrote, as it is kept and shown. */
export type Address =
  /** As written: absolute or relative (to what, the caller knows); `~` stands for itself. */
  | { readonly kind: 'local'; readonly text: string; readonly path: string }
  | {
      readonly kind: 'ssh';
      readonly text: string;
      readonly user?: string;
      /** A name, an IPv4 address, or an IPv6 address without brackets. */
      readonly host: string;
      readonly port?: number;
      /** Absolute, or (`host:path`) relative to the home folder there; never on a command line. */
      readonly path: string;
    }
  /** History only, at a git host: encrypted, unless it is on this machine itself. */
  | { readonly kind: 'git'; readonly text: string; readonly url: string };

const LONGEST = 4_096;
const CONTROL = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/s;
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/;
const HOST = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?$/;
const IPV6 = /^(?=.*:.*:)[0-9A-Fa-f:]+(?:\.\d{1,3}){0,3}(?:%[A-Za-z0-9_.-]+)?$/;

/**
 * Parses an address by an allow-list: local paths, `ssh://[user@]host[:port]/path`, `[user@]host:path`, `https://…`.
 * What could be taken for an option, a helper program (`ext::`) or another line is refused, not quoted (RELIABILITY
 * S09 to S11). A local path with a colon in its first name is written `./a:b`.
 * @throws BkError 'usage'
 */
export function parseAddress(text: string): Address {
  if (text === '') throw wrong(text, 'it is empty');
  if (text.length > LONGEST) throw wrong(`${text.slice(0, 40)}…`, 'it is too long');
  if (CONTROL.test(text)) throw wrong(text, 'it has control characters');
  if (text.startsWith('-')) throw wrong(text, 'it looks like an option', 'write ./ before a path');
  const scheme = SCHEME.exec(text);
  if (scheme !== null) return withScheme(text, scheme[1]!.toLowerCase(), scheme[2]!);
  const colon = text.indexOf(':');
  const slash = text.indexOf('/');
  if (colon < 0 || (slash >= 0 && slash < colon && !text.startsWith('[')))
    return { kind: 'local', text, path: text };
  if (text.startsWith('[')) return bracketed(text);
  return hostAndPath(text, text.slice(0, colon), text.slice(colon + 1));
}

function withScheme(text: string, scheme: string, rest: string): Address {
  if (scheme === 'ssh') return sshUrl(text, rest);
  if (scheme === 'https' || scheme === 'http') return gitUrl(text, scheme, rest);
  const hint =
    scheme === 'file' ? 'give the path itself' : 'a path, ssh://host/path, host:path, or https://host/path';
  throw wrong(text, `bk does not use ${scheme}://`, hint);
}

/** `[::1]:path`; a local path may begin so too. */
function bracketed(text: string): Address {
  const match = /^\[([^\]]*)\]:(.*)$/s.exec(text);
  if (match === null || !IPV6.test(match[1]!)) return { kind: 'local', text, path: text };
  return { kind: 'ssh', text, host: match[1]!, path: checkedPath(text, match[2]!) };
}

function hostAndPath(text: string, before: string, path: string): Address {
  if (path.startsWith(':')) throw wrong(text, 'helper programs are not run');
  if (/^[A-Za-z]$/.test(before) && path.startsWith('\\')) throw wrong(text, 'it is a path of another system');
  const at = before.lastIndexOf('@');
  const user = at < 0 ? undefined : checkedUser(text, before.slice(0, at));
  const host = checkedHost(text, before.slice(at + 1));
  return { kind: 'ssh', text, host, path: checkedPath(text, path), ...(user !== undefined && { user }) };
}

function sshUrl(text: string, rest: string): Address {
  const slash = rest.indexOf('/');
  if (slash < 0) throw wrong(text, 'it has no path');
  const { user, host, port } = authority(text, rest.slice(0, slash));
  const path = checkedPath(text, decodedPath(text, rest.slice(slash)));
  return {
    kind: 'ssh',
    text,
    host,
    path,
    ...(user !== undefined && { user }),
    ...(port !== undefined && { port }),
  };
}

function gitUrl(text: string, scheme: 'https' | 'http', rest: string): Address {
  const slash = rest.indexOf('/');
  if (slash < 0 || slash === rest.length - 1) throw wrong(text, 'it has no path');
  const { user, host, port } = authority(text, rest.slice(0, slash));
  const path = rest.slice(slash);
  if (/[?#\\ ]/.test(path)) throw wrong(text, 'it has characters that a path of a git host does not have');
  checkedPath(text, decodedPath(text, path));
  const shown = host.includes(':') ? `[${host}]` : host;
  if (scheme === 'http' && !isLoopback(shown)) throw wrong(text, 'it is not encrypted', 'write https://');
  const url = `${scheme}://${user === undefined ? '' : `${user}@`}${shown}${port === undefined ? '' : `:${port}`}${path}`;
  return { kind: 'git', text, url };
}

/** @param host as a URL has it: an IPv6 address in brackets */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|\[::1\]|127(?:\.\d{1,3}){3})$/i.test(host);
}

function authority(text: string, part: string): { user?: string; host: string; port?: number } {
  const at = part.lastIndexOf('@');
  const account = at < 0 ? undefined : part.slice(0, at);
  if (account?.includes(':')) {
    // The text is not repeated: it has a password in it.
    throw new BkError('usage', 'not an address: it has a password', {
      hint: 'use a key, or a credential helper of git',
    });
  }
  const user = account === undefined ? undefined : checkedUser(text, account);
  const match = /^(\[[^\]]*\]|[^:[\]]*)(?::(\d{1,5}))?$/.exec(part.slice(at + 1));
  if (match === null) throw wrong(text, 'its host or port is none');
  const port = match[2] === undefined ? undefined : Number(match[2]);
  if (port !== undefined && (port < 1 || port > 65_535)) throw wrong(text, 'its port is none');
  const host = checkedHost(text, match[1]!);
  return { host, ...(user !== undefined && { user }), ...(port !== undefined && { port }) };
}

function checkedUser(text: string, user: string): string {
  if (!USER.test(user) || user.length > 256) throw wrong(text, 'its user is no name');
  return user;
}

function checkedHost(text: string, host: string): string {
  const bare = /^\[(.*)\]$/s.exec(host)?.[1];
  const right = bare === undefined ? HOST.test(host) && !host.includes('..') : IPV6.test(bare);
  if (!right || host.length > 256) throw wrong(text, 'its host is no name of a host');
  return bare ?? host;
}

function checkedPath(text: string, path: string): string {
  if (path === '') throw wrong(text, 'it has no path');
  if (CONTROL.test(path)) throw wrong(text, 'its path has control characters');
  return path;
}

/** `%20` and the like, as other programs write them in such an address. */
function decodedPath(text: string, path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw wrong(text, 'its path is not well spelled', 'a % is written %25');
  }
}

function wrong(
  text: string,
  why: string,
  hint = 'a path, ssh://host/path, host:path, or https://host/path',
): BkError {
  return new BkError('usage', `not an address: ${JSON.stringify(text)}: ${why}`, { hint });
}

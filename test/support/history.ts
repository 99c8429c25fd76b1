import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** Looks at a repository's history with git itself, so that the format is checked by another program than bk. */
export function git(root: string, args: readonly string[], input?: string | Buffer): Buffer {
  const done = spawnSync('git', ['--git-dir', path.join(root, '.bk/history'), ...args], {
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: '/nonexistent',
      GIT_CONFIG_NOSYSTEM: '1',
      LC_ALL: 'C.UTF-8',
    },
    maxBuffer: 1 << 28,
    ...(input === undefined ? {} : { input }),
  });
  if (done.status !== 0)
    throw new Error(`git ${args.join(' ')}: exit ${done.status}: ${done.stderr.toString()}`);
  return done.stdout;
}

/** What `git fsck --strict` complains of; dangling objects (a killed commit's) are no damage. */
export function fsckProblems(root: string): string[] {
  const done = spawnSync(
    'git',
    ['--git-dir', path.join(root, '.bk/history'), 'fsck', '--strict', '--no-dangling'],
    {
      encoding: 'utf8',
    },
  );
  const said = `${done.stdout}${done.stderr}`
    .split('\n')
    .filter((line) => line !== '' && !/^notice:/.test(line));
  return done.status === 0 ? said : [`git fsck: exit ${done.status}`, ...said];
}

/** A commit's name, or null where there is none yet. */
export function head(root: string, rev = 'refs/heads/main'): string | null {
  try {
    return git(root, ['rev-parse', '--verify', '-q', rev]).toString().trim();
  } catch {
    return null;
  }
}

export interface RecordSeen {
  readonly [field: string]: unknown;
  readonly id: string;
  readonly type: string;
  readonly blake3?: string;
  readonly size?: number;
  readonly mtime?: string;
  readonly mode?: string;
  readonly target?: string;
  readonly linked?: string;
}

export interface RecordAt {
  readonly record: RecordSeen;
  readonly text: string;
  readonly blob: string;
  readonly gitMode: string;
}

/** All records of a commit by the byte string of their path; a folder's own record is under its path with a `/` behind. */
export function records(root: string, rev = 'refs/heads/main'): ReadonlyMap<string, RecordAt> {
  // What stands behind a colon is a path, and a tree already.
  const name = rev.includes(':') ? rev : `${rev}^{tree}`;
  const tree = git(root, ['rev-parse', '--verify', name]).toString().trim();
  const known = recordsOfTrees.get(tree) ?? recordsIn(root, tree);
  recordsOfTrees.set(tree, known);
  return known;
}

/** By the names of trees, which say all that is in them. */
const recordsOfTrees = new Map<string, ReadonlyMap<string, RecordAt>>();

function recordsIn(root: string, rev: string): ReadonlyMap<string, RecordAt> {
  const listed = git(root, ['ls-tree', '-r', '-z', rev]).toString('latin1').split('\0').filter(Boolean);
  const rows = listed.map((line) => {
    const [meta = '', name = ''] = splitOnce(line, '\t');
    const [gitMode = '', , blob = ''] = meta.split(' ');
    return { gitMode, blob, name };
  });
  const texts = blobs(root, [...new Set(rows.map((row) => row.blob))]);
  return new Map(
    rows.map(({ gitMode, blob, name }) => {
      const text = texts.get(blob) ?? '';
      const at = decodeName(
        /(^|\/)\.bkdir$/.test(name) ? `${name.slice(0, -'.bkdir'.length).replace(/\/$/, '')}/` : name,
      );
      return [at, { record: JSON.parse(text) as RecordSeen, text, blob, gitMode }];
    }),
  );
}

/** Undoes the encoding of SPEC 2.1: every %XX is one byte. */
export function decodeName(encoded: string): string {
  return encoded.replace(/%([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function blobs(root: string, ids: readonly string[]): Map<string, string> {
  const out = git(root, ['cat-file', '--batch'], `${ids.join('\n')}\n`);
  const found = new Map<string, string>();
  let at = 0;
  for (const id of ids) {
    const end = out.indexOf(10, at);
    const size = Number(out.toString('latin1', at, end).split(' ')[2]);
    found.set(id, out.toString('utf8', end + 1, end + 1 + size));
    at = end + 1 + size + 1;
  }
  return found;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + separator.length)];
}

/** An mtime in ns as a record has it: RFC 3339, UTC, nine digits. */
export function recordTime(ns: bigint): string {
  const second = ns / 1_000_000_000n - (ns % 1_000_000_000n < 0n ? 1n : 0n);
  const rest = ns - second * 1_000_000_000n;
  return `${new Date(Number(second) * 1000).toISOString().slice(0, 19)}.${rest.toString().padStart(9, '0')}Z`;
}

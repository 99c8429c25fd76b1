import { BkError, contentHash, gitId, repoPath, type Step, type Transaction } from '@bk/core';
import { isRefName } from './history/refs.ts';
import { isTransactionId } from './staging.ts';

/** One line of a journal. */
export type Line =
  | { readonly begin: Omit<Transaction, 'steps'>; readonly count: number }
  | { readonly step: Step }
  | { readonly ready: true }
  | { readonly creating: number }
  | { readonly done: number }
  | { readonly committed: true; readonly failed?: readonly number[] };

type Check = (value: unknown) => boolean;
type Shape = Readonly<Record<string, Check>>;
type Fields = Readonly<Record<string, unknown>>;

/**
 * A journal is bk's own, but it decides what is written into the tree, and it may have come with a stranger's disk: so
 * its lines are parsed like a stranger's. Fields that this bk does not know are passed over.
 * @throws BkError 'damaged'
 */
export function checkedLine(value: unknown): Line {
  if (!fits(value)) throw new BkError('damaged', 'a journal has a line that bk does not write');
  return value as Line;
}

function fits(value: unknown): boolean {
  if (!isObject(value)) return false;
  const kind = Object.keys(LINES).find((one) => one in value);
  return kind !== undefined && has(value, LINES[kind]!);
}

function has(value: unknown, shape: Shape): value is Fields {
  return isObject(value) && Object.entries(shape).every(([field, check]) => check(value[field]));
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const maybe =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

const one =
  (...of: readonly unknown[]): Check =>
  (value) =>
    of.includes(value);

const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

const text: Check = (value) => typeof value === 'string';
const natural: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const big: Check = (value) => typeof value === 'bigint';

/** As one of core's own parsers takes it. */
const parsed =
  (parse: (given: string) => unknown): Check =>
  (value) => {
    if (typeof value !== 'string') return false;
    try {
      parse(value);
      return true;
    } catch (error) {
      if (error instanceof BkError) return false;
      throw error;
    }
  };

const path = parsed(repoPath);
const hash = parsed(contentHash);
const commit = parsed(gitId);

/** Below the net or staging, and never up again; or a file of the tree. */
const source: Check = (value) => {
  if (!has(value, { source: text, how: one('link', 'copy'), tree: maybe(one(true, false)) })) return false;
  const from = String(value['source']);
  if (value['tree'] === true) return path(from);
  return (
    /^(?:safety|staging)\/[^/]+\/[^/]+$/.test(from) && !from.split('/').some((part) => /^\.\.?$/.test(part))
  );
};

const content: Check = (value) =>
  source(value) && has(value, { blake3: hash, size: natural, instead: maybe(listOf(source)) });

const entry: Check = (value) =>
  has(value, {
    is: one('entry'),
    inode: big,
    size: natural,
    mtimeNs: big,
    ctimeNs: big,
    blake3: maybe(hash),
  });

const expectation: Check = (value) => has(value, { is: one('absent') }) || entry(value);

const times = { mode: maybe(natural), mtimeNs: maybe(big) };
const what = one('file', 'folder');

const STEPS: Readonly<Record<Step['do'], Shape>> = {
  mkdir: { path, mode: natural },
  place: { path, expect: expectation, content, mode: natural, mtimeNs: big, otherwise: maybe(path) },
  symlink: { path, expect: expectation, target: text, mtimeNs: big, otherwise: maybe(path) },
  touch: { path, expect: expectation, ...times },
  move: { path, from: path, what, expect: entry, parked: maybe(natural), ...times },
  park: { path, what, expect: entry },
  remove: { path, expect: entry },
  rmdir: { path },
};

const step: Check = (value) =>
  isObject(value) &&
  typeof value['do'] === 'string' &&
  Object.hasOwn(STEPS, value['do']) &&
  has(value, STEPS[value['do'] as Step['do']]);

const ref: Check = (value) => typeof value === 'string' && isRefName(value);

const head: Check = (value) => has(value, { ref, from: (from) => from === null || commit(from), to: commit });

const begin: Check = (value) =>
  has(value, {
    id: (id) => typeof id === 'string' && isTransactionId(id),
    verb: text,
    placing: one('link', 'create'),
    head: maybe(head),
    placedFor: maybe(text),
  });

const LINES: Readonly<Record<string, Shape>> = {
  begin: { begin, count: natural },
  step: { step },
  ready: { ready: one(true) },
  creating: { creating: natural },
  done: { done: natural },
  committed: { committed: one(true), failed: maybe(listOf(natural)) },
};

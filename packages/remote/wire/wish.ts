import { BkError, type JsonValue, type Progress, type Report } from '@bk/core';
import { LIMITS } from '../port.ts';
import { fields, misshapen, text } from './arguments.ts';
import type { Method } from './calls.ts';
import { isLine } from './greeting.ts';

/** Who asks: the other repository, and the name that it gives to itself. */
export interface Asker {
  /** UUID. */
  readonly id: string;
  readonly name?: string;
}

/** Opens the repository at a path of the other machine. */
export interface RepositoryWish {
  readonly kind: 'repository';
  /** As it was given: text that nothing is known of but that it has no NUL and an end. */
  readonly path: string;
  readonly asks: Asker;
}

/** Makes a clone, at a path of the other machine, of the repository that the asking side offers. */
export interface CloneWish {
  readonly kind: 'clone';
  readonly path: string;
  /** For whoever makes the clone, who checks them. */
  readonly options: JsonValue;
}

/** The first that is asked over a connection. */
export type Wish = RepositoryWish | CloneWish;

/** Characters of a path: more than any system takes. */
const MOST_PATH = 4_096;

export function wishSaid(wish: Wish): { readonly method: Method; readonly args: JsonValue } {
  const { kind, path } = wish;
  checkPath(path);
  if (kind === 'clone') return { method: 'clone', args: { path, options: wish.options } };
  const { id, name } = wish.asks;
  return { method: 'open', args: { path, asks: { id, ...(name !== undefined && { name }) } } };
}

/** @throws BkError 'refused' for what is no wish */
export function wishAsked(method: Method, args: JsonValue): Wish {
  const { path: said, asks, options } = fields(args);
  const path = text(said);
  checkPath(path);
  if (method === 'clone') {
    if (options === undefined) throw misshapen();
    return { kind: 'clone', path, options };
  }
  if (method !== 'open')
    throw new BkError('refused', 'cannot do what was asked: no repository was asked for before');
  const { id, name } = fields(asks);
  if (!UUID.test(text(id))) throw misshapen();
  if (name === undefined) return { kind: 'repository', path, asks: { id: text(id) } };
  if (!isLine(name)) throw misshapen();
  return { kind: 'repository', path, asks: { id: text(id), name } };
}

function checkPath(path: string): void {
  if (path === '' || path.length > MOST_PATH || /[\0\p{Cs}]/u.test(path))
    throw new BkError('refused', 'cannot open what was asked for: it is no path');
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function progressSaid({ path: _, ...progress }: Progress): JsonValue {
  return { ...progress };
}

/** Reports what the other side says of its work, as far as it is sensible; paths there are of no use here. */
export function reporting(report: Report): (said: JsonValue) => void {
  return (said) => {
    const { phase, files, bytes, totalFiles, totalBytes } = fields(said);
    const known = PHASES.find((one) => one === phase);
    if (known === undefined || !isCount(files) || !isCount(bytes)) return;
    report({
      phase: known,
      files,
      bytes,
      ...(isCount(totalFiles) && { totalFiles }),
      ...(isCount(totalBytes) && { totalBytes }),
    });
  };
}

function isCount(said: JsonValue | undefined): said is number {
  return typeof said === 'number' && said >= 0 && said <= LIMITS.content * LIMITS.contents;
}

const PHASES: readonly Progress['phase'][] = [
  'scan',
  'hash',
  'protect',
  'record',
  'verify',
  'recover',
  'index',
  'copy',
  'fetch',
  'send',
  'place',
  'prove',
];

import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { BkError, type GitId } from '@bk/core';
import { isSearchDamage, SearchDb } from '@bk/store';
import type { Context } from '../context.ts';
import type { Past } from '../history/revision.ts';
import { cannotWrite } from '../repository.ts';
import { fillHead, fillPast } from './fill.ts';

/** Where the tables for searching are: a cache, beside the index and apart from it. */
export const SEARCH_FILE = 'search.sqlite';

export interface Searched extends Past {
  readonly layout: Past['layout'] & { readonly dot: string };
}

export interface Wanted {
  readonly head: GitId;
  /** With what left the head. */
  readonly past: boolean;
}

/**
 * Asks the tables, brought up to date first. Damaged ones are made anew, once; where nothing can be written they are
 * made for this one question.
 */
export async function withTables<T>(
  repo: Searched,
  wanted: Wanted,
  context: Pick<Context, 'report'>,
  ask: (search: SearchDb) => T,
): Promise<T> {
  const file = path.join(repo.layout.dot, SEARCH_FILE);
  const attempt = (at: string) => patiently(() => withTablesAt(at, { repo, wanted, context }, ask));
  try {
    return await attempt(file);
  } catch (error) {
    if (cannotWrite(error)) return await attempt('');
    if (!isSearchDamage(error)) throw failure(error);
  }
  try {
    SearchDb.discard(file);
    return await attempt(file);
  } catch (error) {
    if (cannotWrite(error)) return await attempt('');
    throw failure(error);
  }
}

interface Sources {
  readonly repo: Searched;
  readonly wanted: Wanted;
  readonly context: Pick<Context, 'report'>;
}

async function withTablesAt<T>(file: string, sources: Sources, ask: (search: SearchDb) => T): Promise<T> {
  const search = SearchDb.open(file);
  try {
    await bringUpToDate(search, sources);
    return ask(search);
  } finally {
    search.rollback();
    search.close();
  }
}

async function bringUpToDate(search: SearchDb, { repo, wanted, context }: Sources): Promise<void> {
  const isCurrent = (): boolean =>
    search.head === wanted.head && (!wanted.past || search.past === wanted.head);
  if (isCurrent()) return;
  search.begin();
  if (isCurrent()) return; // another process was first
  const filling = { search, history: repo.history, report: context.report };
  if (search.head !== wanted.head) await fillHead(filling, wanted.head);
  if (wanted.past && search.past !== wanted.head) await fillPast(filling, wanted.head);
  search.commit();
}

/** Times that SQLite's own patience (a second) may end. */
const PATIENCE = 120;

/** Another process that brings the tables up to date does what is wanted here too. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const isBusy = String((error as { code?: unknown }).code).startsWith('SQLITE_BUSY');
      if (!isBusy || tries >= PATIENCE) throw error;
      await setTimeout(10);
    }
  }
}

function failure(error: unknown): unknown {
  const code = String((error as { code?: unknown }).code);
  if (!code.startsWith('SQLITE_')) return error;
  const { message } = error as Error;
  if (code.startsWith('SQLITE_FULL'))
    return new BkError('no-space', 'cannot write the tables for searching: no space left', {
      hint: 'free some space, then give the same command again',
      cause: error,
    });
  if (code.startsWith('SQLITE_BUSY'))
    return new BkError('locked', 'cannot search: another bk is bringing its tables up to date', {
      hint: 'wait until it is done',
      cause: error,
    });
  return new BkError('io', `cannot use the tables for searching: ${message}`, {
    hint: 'look whether .bk can be written and its disk is healthy',
    cause: error,
  });
}

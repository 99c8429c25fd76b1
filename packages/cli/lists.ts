import type { RepoPath } from '@bk/core';
import { count, table } from './format.ts';
import { type Style, safe, shownPath } from './terminal.ts';

const MANY = 100;

/** A title with paths below it, each with a word or two; nothing for an empty list. */
export function listText(
  title: string,
  items: readonly { readonly path: RepoPath | string; readonly reason?: string }[],
  style: Style,
): string {
  if (items.length === 0) return '';
  const rows = items
    .slice(0, MANY)
    .map(({ path, reason }) => [`  ${shownPath(path)}`, style('dim', safe(reason ?? ''))]);
  const more = items.length > MANY ? `  … and ${count(items.length - MANY)} more (--json lists all)\n` : '';
  return `${title}: ${count(items.length)}\n${table(rows)}${more}`;
}

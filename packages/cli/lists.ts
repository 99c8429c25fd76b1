import { displayText, type RepoPath } from '@bk/core';
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
  return `${title}: ${count(items.length)}\n${table(rows)}${moreText(items.length, '  ')}`;
}

/** What was meant besides what was named. */
export function meantText(
  {
    whole = [],
    companions = [],
  }: {
    readonly whole?: readonly { readonly path: RepoPath }[];
    readonly companions?: readonly { readonly path: RepoPath; readonly of: RepoPath }[];
  },
  style: Style,
): string {
  const beside = companions.map(({ path, of }) => ({ path, reason: `of ${displayText(of).text}` }));
  const all = listText('one thing, so all of it was meant', whole, style);
  return `${all}${listText('companions, so meant too', beside, style)}`;
}

/** As listText, but a reason is told once, before the paths that have it; in the order in which they come. */
export function reasonsText(
  title: string,
  items: readonly { readonly path: RepoPath | string; readonly reason: string }[],
): string {
  if (items.length === 0) return '';
  const groups = Map.groupBy(items, ({ reason }) => reason);
  const texts = [...groups].map(([reason, group]) => {
    const paths = group.slice(0, MANY).map(({ path }) => `    ${shownPath(path)}\n`);
    return `  ${safe(reason)}: ${count(group.length)}\n${paths.join('')}${moreText(group.length, '    ')}`;
  });
  return `${title}: ${count(items.length)}\n${texts.join('')}`;
}

function moreText(items: number, indent: string): string {
  return items > MANY ? `${indent}… and ${count(items - MANY)} more (--json lists all)\n` : '';
}

import type { ConflictKind, MergeConflict } from '@bk/core';
import { count, counted } from './format.ts';
import { type Style, shownPath } from './terminal.ts';

/** What happened, and what stays at the path. */
export function conflictWords(kind: ConflictKind, same?: 'payload'): string {
  const isSame = same !== undefined;
  switch (kind) {
    case 'content':
      return isSame
        ? 'tagged on both sides, the picture or sound is the same; the newer tags stay'
        : 'changed on both sides; the newer content stays';
    case 'add-add':
      return isSame
        ? 'two files of this name were added, the same picture or sound with other tags; the newer stays'
        : 'two files of this name were added; the newer stays';
    case 'delete-edit':
      return 'changed on one side and deleted on the other; it stays';
    case 'rename-rename':
      return 'renamed on both sides, to different names; the later name stays';
    case 'rename-collision':
      return 'two files came to this name; the newer stays';
    case 'file-directory':
      return 'a file and a folder came to this name; the folder stays';
    case 'type':
      return 'a file and a link came to this name; the file stays';
    case 'directory-rename-split':
      return 'added to a folder whose files went to several places; it stays where it was added';
    case 'case':
      return 'names that differ only by upper and lower case; both stay';
    case 'atomic':
      return 'changed on both sides, and never mixed; the later version stays';
    default:
      return never(kind);
  }
}

function never(kind: never): string {
  return `a conflict of an unknown kind: ${kind}`;
}

const MANY = 100;

/** The conflicts that a merge made, each with what is kept under which name, and what to do now. */
export function conflictsText(conflicts: readonly MergeConflict[], style: Style, dryRun: boolean): string {
  const [first] = conflicts;
  if (first === undefined) return '';
  const lines = conflicts.slice(0, MANY).flatMap((conflict) => conflictLines(conflict, style));
  if (conflicts.length > MANY) lines.push(`  … and ${counted(conflicts.length - MANY, 'more')}`);
  const title = `${style('yellow', dryRun ? 'would be conflicts' : 'conflicts')}: ${count(conflicts.length)}`;
  const next = dryRun ? [] : ['next: look at both, then `bk resolve PATH`; `bk conflicts` lists them again'];
  return [title, ...lines, ...next].map((line) => `${line}\n`).join('');
}

function conflictLines({ path, kind, kept, same }: MergeConflict, style: Style): string[] {
  return [
    `  ${shownPath(path)}  ${style('dim', conflictWords(kind, same))}`,
    ...kept.map((other) => `    kept: ${shownPath(other)}`),
  ];
}

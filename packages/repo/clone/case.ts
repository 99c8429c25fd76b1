import {
  DIRECTORY_RECORD,
  type EncodedName,
  joinPath,
  type PathProblem,
  parentOf,
  type RepoPath,
  ROOT,
} from '@bk/core';
import type { HistoryReader } from '@bk/store';
import type { FolderPart } from './selection.ts';

export const CASE = 'the file system has another name that differs from it only by case';

/**
 * Leaves out what a file system without letter case cannot hold: of two names that it takes for one the greater (SPEC 6).
 * @param parts every folder before those in it
 */
export function withoutCaseTwins(
  parts: readonly FolderPart[],
  history: Pick<HistoryReader, 'readTree'>,
): { readonly parts: FolderPart[]; readonly missing: PathProblem[] } {
  const missing: PathProblem[] = [];
  const out = new Set<RepoPath>();
  const kept = parts.map((part): FolderPart => {
    if (!part.made) return part;
    if (part.path !== ROOT && (out.has(part.path) || out.has(parentOf(part.path)))) {
      out.add(part.path);
      return { ...part, made: false, files: [], folders: [] };
    }
    const { files, folders } = namesOf(part, history);
    const twins = twinsOf([...files, ...folders]);
    for (const name of twins) missing.push({ path: joinPath(part.path, name), reason: CASE });
    for (const name of folders) if (twins.has(name)) out.add(joinPath(part.path, name));
    if (twins.size === 0) return part;
    const stays = (name: EncodedName): boolean => !twins.has(name);
    return { ...part, files: files.filter(stays), folders: folders.filter(stays) };
  });
  return { parts: kept, missing };
}

function namesOf(
  part: FolderPart,
  history: Pick<HistoryReader, 'readTree'>,
): { readonly files: readonly EncodedName[]; readonly folders: readonly EncodedName[] } {
  const entries = history.readTree(part.tree).filter(({ name }) => name !== DIRECTORY_RECORD);
  const named = (kind: 'blob' | 'tree') =>
    entries.filter((entry) => entry.kind === kind).map(({ name }) => name);
  return {
    files: part.files === 'all' ? named('blob') : part.files,
    folders: part.folders === 'all' ? named('tree') : part.folders,
  };
}

function twinsOf(names: readonly EncodedName[]): ReadonlySet<EncodedName> {
  const seen = new Set<string>();
  const twins = new Set<EncodedName>();
  for (const name of [...names].sort()) {
    const folded = name.normalize('NFC').toLowerCase();
    if (seen.has(folded)) twins.add(name);
    seen.add(folded);
  }
  return twins;
}

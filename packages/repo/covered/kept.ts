import { isUtf8 } from 'node:buffer';
import path from 'node:path';
import { BkError, type ContentHash, encodePath, type FsPath, type PathProblem } from '@bk/core';
import { DOT_BK, type Layout, layoutOf, readConfig, readRef, SafetyNet } from '@bk/store';
import { presences } from '../presence/presence.ts';
import { MAIN, type Repository } from '../repository.ts';

/** What the `.bk` of a repository on a card keeps besides the card's files. */
export interface KeptByBk {
  /** Of the folder `.bk`. */
  readonly at: FsPath;
  /** Of its safety net, without those of the card's files. */
  readonly contents: ReadonlySet<ContentHash>;
  /** Why something else in it is nowhere else: a clause. */
  readonly reason?: string;
}

/** @param root absolute; `folders`: those below it with a `.bk`; `seen`: contents of the card's files. */
export function keptByBk(
  repo: Repository,
  root: string,
  { folders, seen }: { readonly folders: readonly FsPath[]; readonly seen: ReadonlySet<ContentHash> },
): KeptByBk[] {
  const family = new Set([
    repo.config.id,
    ...presences(repo).map(({ facts }) => facts.id),
    ...Object.values(repo.config.remotes ?? {}).flatMap(({ id }) => id ?? []),
  ]);
  return folders.map((folder): KeptByBk => {
    const at = (folder === '' ? DOT_BK : `${folder}/${DOT_BK}`) as FsPath;
    const bytes = Buffer.from(folder, 'latin1');
    const contents = new Set<ContentHash>();
    if (!isUtf8(bytes))
      return { at, contents, reason: 'bk cannot look into it: the name of its folder is no text' };
    const layout = layoutOf(path.join(root, bytes.toString()));
    try {
      for (const { blake3 } of new SafetyNet(layout).list()) if (!seen.has(blake3)) contents.add(blake3);
      const isAhead = hasNews(repo, layout, family);
      return {
        at,
        contents,
        ...(isAhead && { reason: 'it has commits that are not known here: fetch them' }),
      };
    } catch (error) {
      if (!(error instanceof BkError)) throw error;
      return { at, contents, reason: `what it keeps cannot be read: ${error.message}` };
    }
  });
}

/** A repository that this one exchanges with may have commits that nobody fetched yet; those of a stranger are no loss. */
function hasNews({ history }: Repository, layout: Layout, family: ReadonlySet<string>): boolean {
  const config = readConfig(layout.config);
  if (config === undefined || !(family.has(config.id) || family.has(config.copyOf ?? ''))) return false;
  const head = readRef(layout.history, MAIN);
  return head !== undefined && !history.has(head);
}

/** What of it would be lost with the card. */
export function keptNowhereElse(
  kept: readonly KeptByBk[],
  isSafe: (content: ContentHash) => boolean,
): PathProblem[] {
  return kept.flatMap(({ at, contents, reason }) => {
    const path = encodePath(at);
    const lost = [...contents].filter((content) => !isSafe(content)).length;
    const what = lost === 1 ? '1 content that was' : `${lost} contents that were`;
    const inNet = `its safety net alone keeps ${what} deleted or replaced there: \`bk recover --list\` names them`;
    return [
      ...(reason === undefined ? [] : [{ path, reason }]),
      ...(lost === 0 ? [] : [{ path, reason: inNet }]),
    ];
  });
}

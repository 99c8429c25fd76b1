import {
  type GitId,
  hasAbsent,
  hasOwnRecord,
  isWhollyAbsent,
  KIND,
  type KnownDirectory,
  PROTECTION,
  presenceRef,
  type RepoPath,
  ROOT,
} from '@bk/core';
import { PackWriter, readRef } from '@bk/store';
import { entryPath } from '../observe/draft.ts';
import { ownPresence } from '../presence/presence.ts';
import { presentTree } from '../presence/present-tree.ts';
import type { Repository } from '../repository.ts';
import type { Problems } from './problems.ts';

interface PresenceCheck {
  readonly problems: Problems;
  /** Trees of the head's folders. */
  readonly folders: ReadonlyMap<RepoPath, GitId>;
  /** The own presence that the index knows. */
  readonly known: GitId | undefined;
}

/** Whether what rows say is absent by design agrees among them, and with what the repository says of itself. */
export class AbsenceCheck {
  readonly #rows = new Map<RepoPath, KnownDirectory>();
  readonly #flagged = new Set<RepoPath>();
  readonly #whole = new Set<RepoPath>();

  /** Of an undamaged row that mirrors the head. */
  see(path: RepoPath, known: KnownDirectory): void {
    if (!hasAbsent(known)) return;
    this.#rows.set(path, known);
    if (isWhollyAbsent(known)) this.#whole.add(path);
    known.protections.forEach((protection, k) => {
      if (k > 0 && protection === PROTECTION.absent && known.listing.kinds[k] === KIND.dir)
        this.#flagged.add(entryPath(path, known.listing, k));
    });
  }

  reportFlags(problems: Problems): void {
    for (const path of this.#whole)
      if (path !== ROOT && !this.#flagged.has(path))
        problems.add('index', path, 'nothing of it is here, which the row of its parent does not say');
    for (const path of this.#flagged)
      if (!this.#whole.has(path))
        problems.add(
          'index',
          path,
          'the row of its parent says that nothing of it is here, its own does not',
        );
    for (const [path, known] of this.#rows)
      if (known.protections[0] === PROTECTION.absent && !hasOwnRecord(known))
        problems.add('index', path, 'its row says that its own record is not here; it has none');
  }

  reportPresence(repo: Repository, { problems, folders, known }: PresenceCheck): void {
    const ref = presenceRef(repo.config.id);
    const tree = folders.get(ROOT);
    const own = problems.guard('presence', ref, () => ownPresence(repo));
    // One that was just written by another process is not yet known to the index, or the head is not to it.
    if (own === undefined || own.commit !== known || tree === undefined) return;
    const writer = new PackWriter(repo.layout.history, repo.layout.staging);
    try {
      const { history } = repo;
      const treeOf = (path: RepoPath) => folders.get(path);
      const expected = presentTree(tree, { history, put: this.#rows, index: ONLY_PUT, treeOf }, writer);
      if (expected === own.present || readRef(repo.layout.history, ref) !== own.commit) return;
      problems.add('presence', ref, 'it does not say what the index says is here', 'bk reindex');
    } finally {
      writer.abort();
    }
  }
}

/** Rows without anything absent are not asked for. */
const ONLY_PUT = { absent: { any: false, partial: () => [] }, known: () => undefined };

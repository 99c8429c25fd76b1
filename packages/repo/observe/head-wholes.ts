import {
  type EncodedName,
  groupCompanions,
  isInside,
  joinPath,
  KIND,
  nameOf,
  parentOf,
  type RepoPath,
  selectorOf,
} from '@bk/core';
import { isAsWritten } from '../peers/host-options.ts';
import type { Repository } from '../repository.ts';
import { entryPath } from './draft.ts';
import { entityFinder, type Widened, widenToEntities } from './head-entities.ts';
import { type HeadEntry, headEntry } from './head-entries.ts';

/** A file that is meant because a companion of it was named. */
export interface Companion {
  readonly path: RepoPath;
  readonly of: RepoPath;
}

export interface WidenedWholes extends Widened {
  /** `paths` without companions. */
  readonly asked: readonly RepoPath[];
  /** Files that were not named themselves. */
  readonly companions: readonly Companion[];
}

/** What something of the head is a part of. */
export interface Whole {
  /** Equal for all parts of one whole, and for nothing else. */
  readonly key: string;
  readonly entity?: RepoPath;
}

/**
 * What of the head goes together: all of an entity (SPEC 5), and companions. Where the subset excludes some companions by
 * name, those that it leaves and those that it excludes go apart: else what is not wanted could not be dropped without
 * the rest. Cost: a row for each folder above a path, and a look at the names of its own folder.
 */
export class HeadWholes {
  readonly #repo: Repository;
  readonly #entityAt: (path: RepoPath) => RepoPath | undefined;
  readonly #isLeft: (path: RepoPath) => boolean;
  readonly #groups = new Map<RepoPath, ReturnType<typeof groupCompanions>>();

  constructor(repo: Repository) {
    const { subset } = repo.config;
    const exclude = subset !== undefined && isAsWritten(subset) ? subset.exclude : [];
    this.#repo = repo;
    this.#entityAt = entityFinder(repo);
    this.#isLeft = exclude.length === 0 ? () => true : selectorOf({ include: [], exclude }).wants;
  }

  /**
   * Paths of the head with all that goes with them.
   * @param isTold which companions are worth telling
   */
  widen(named: readonly RepoPath[], isTold: (entry: HeadEntry) => boolean): WidenedWholes {
    const { paths: asked, whole } = widenToEntities(named, this.#entityAt);
    const all = new Set(asked);
    const companions: Companion[] = [];
    for (const of of asked)
      for (const path of this.#companionsOf(of)) {
        const entry = all.has(path) ? undefined : headEntry(this.#repo, path);
        if (entry === undefined) continue;
        all.add(path);
        if (isTold(entry) && !named.some((one) => isInside(path, one))) companions.push({ path, of });
      }
    return { paths: [...all], asked, whole, companions };
  }

  /** Undefined: it goes alone. */
  wholeOf(path: RepoPath): Whole | undefined {
    const entity = this.#entityAt(path);
    if (entity !== undefined) return { key: entity, entity };
    const [first] = this.#companionsOf(path);
    return first === undefined ? undefined : { key: `companions ${first}` };
  }

  /** Itself included; empty: it has none, or is no file of the head. */
  #companionsOf(path: RepoPath): readonly RepoPath[] {
    const folder = parentOf(path);
    const group = this.#groupsIn(folder).get(nameOf(path)) ?? [];
    const isLeft = group.length > 0 && this.#isLeft(path);
    const all = group.map((name) => joinPath(folder, name)).filter((one) => this.#isLeft(one) === isLeft);
    return all.length > 1 ? all : [];
  }

  #groupsIn(folder: RepoPath): ReturnType<typeof groupCompanions> {
    const known = this.#groups.get(folder);
    if (known !== undefined) return known;
    const groups = groupCompanions(filesIn(this.#repo, folder));
    this.#groups.set(folder, groups);
    return groups;
  }
}

function* filesIn({ index }: Repository, folder: RepoPath): Generator<EncodedName> {
  const { listing } = index.known(folder) ?? {};
  if (listing === undefined) return;
  for (let k = 1; k < listing.names.length; k++)
    if (listing.kinds[k] !== KIND.dir) yield nameOf(entryPath(folder, listing, k));
}

import {
  BkError,
  type ContentHash,
  closest,
  conditionsOf,
  copiesOf,
  type FileFacts,
  fold,
  type Query,
  type Surroundings,
} from '@bk/core';
import type { SearchDb, SearchRow } from '@bk/store';
import type { Context } from '../context.ts';
import { type Place, placesOf } from '../holdings/holdings.ts';
import { isHere } from '../observe/is-here.ts';
import { presences } from '../presence/presence.ts';
import type { Repository } from '../repository.ts';

/** What a query means by the repository it is asked in. */
const HERE = 'here';

/** What only the disks and the presences of others can tell of the rows that were found; asked for when first needed. */
export class Around implements Surroundings {
  readonly #repo: Repository;
  readonly #search: SearchDb;
  readonly #rows: readonly SearchRow[];
  readonly #context: Pick<Context, 'nowMs'>;
  #places: ((blake3: ContentHash) => readonly Place[]) | undefined;
  #living: ReadonlySet<ContentHash> | undefined;
  #names: ReadonlyMap<string, ReadonlySet<string>> | undefined;

  constructor(
    repo: Repository,
    search: SearchDb,
    rows: readonly SearchRow[],
    context: Pick<Context, 'nowMs'>,
  ) {
    this.#repo = repo;
    this.#search = search;
    this.#rows = rows;
    this.#context = context;
  }

  /** At its path or, of a version that left, its content anywhere in the folder. */
  isPresent(file: FileFacts | SearchRow): boolean {
    if (!('leftIn' in file) || file.leftIn === undefined) return isHere(this.#repo.layout.root, file);
    this.#living ??= this.#repo.index.living(
      new Set(this.#rows.flatMap(({ leftIn, blake3 }) => (leftIn === undefined ? [] : [blake3]))),
    );
    return this.#living.has(file.blake3);
  }

  copies({ blake3 }: FileFacts): number {
    return copiesOf(this.#placesOf(blake3));
  }

  isOn(repository: string, { blake3 }: FileFacts): boolean {
    this.#names ??= namesOf(this.#repo);
    const ids = this.#names.get(repository);
    return this.#placesOf(blake3).some((place) => ids?.has(place.repository));
  }

  isDuplicate(of: 'exact' | 'payload', { record }: FileFacts): boolean {
    return this.#search.isDuplicate(of, record);
  }

  #placesOf(blake3: ContentHash): readonly Place[] {
    this.#places ??= placesOf(this.#repo, new Set(this.#rows.map((row) => row.blake3)), this.#context);
    return this.#places(blake3);
  }
}

/** @throws BkError 'usage' if the query names a repository that nobody knows */
export function checkRepositories(repo: Repository, query: Query): void {
  let known: ReturnType<typeof namesOf> | undefined;
  for (const condition of conditionsOf(query)) {
    if (condition.is !== 'on') continue;
    known ??= namesOf(repo);
    if (known.has(condition.repository)) continue;
    const names = [...known.keys()].filter((name) => !/^[0-9a-f-]{36}$/.test(name));
    const near = closest(condition.repository, names);
    throw new BkError('usage', `on:${condition.repository}: no repository is known by this name`, {
      hint: near === undefined ? `known are ${names.join(', ')}` : `did you mean on:${near}?`,
    });
  }
}

/** Ids of the repositories that a name may mean, folded: their own, a remote's, their id, `here`. */
function namesOf(repo: Repository): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  const add = (name: string, id: string): void => {
    const known = names.get(fold(name));
    if (known === undefined) names.set(fold(name), new Set([id]));
    else known.add(id);
  };
  const { id: own, name, remotes = {} } = repo.config;
  add(HERE, own);
  add(name, own);
  add(own, own);
  for (const { facts } of presences(repo)) {
    add(facts.name, facts.id);
    add(facts.id, facts.id);
  }
  for (const [remote, { id }] of Object.entries(remotes)) if (id !== undefined) add(remote, id);
  return names;
}

import type { ContentHash, PlacedContent } from '@bk/core';
import type { Content } from '@bk/remote';
import type { Context } from '../context.ts';
import { type Place, placesOf } from '../holdings/holdings.ts';
import { closeAll, type OpenRemote, reach, remotesOf } from '../peers/peers.ts';
import type { Repository } from '../repository.ts';
import { type Brought, bring } from './bring.ts';

/** Why a content cannot be had. */
export interface Lacking {
  /** A clause. */
  readonly reason: string;
  /** Names of the repositories that are known to hold it; absent: none is. */
  readonly where?: readonly string[];
}

/** What no copy of is known, or known to be within reach. */
const NO_COPY = 'no copy of its content can be reached';
/** Of a path that is by design not on this disk: a clause. */
export const NOT_DELETED = 'it was not deleted, it is not on this disk: `bk get` brings it here';

interface Holder {
  readonly name: string;
  /** Name of the remote that it is here. */
  readonly remote: string | undefined;
}

interface Reached {
  readonly open: readonly Pick<OpenRemote, 'remote' | 'facts'>[];
  readonly brought?: Brought;
}

/** Contents that are not in this repository: who is known to hold them, and what could be brought here. */
export class Elsewhere {
  readonly #own: string;
  readonly #places: (blake3: ContentHash) => readonly Place[];
  readonly #remotes: ReadonlyMap<string, string>;
  readonly #reached: ReadonlySet<string>;
  readonly #brought: Brought | undefined;

  private constructor(
    repo: Repository,
    places: (blake3: ContentHash) => readonly Place[],
    { open, brought }: Reached,
  ) {
    this.#own = repo.config.id;
    this.#places = places;
    const known = remotesOf(repo).flatMap(({ id, name }) => (id === undefined ? [] : [[id, name] as const]));
    this.#remotes = new Map([...known, ...open.map(({ facts, remote }) => [facts.id, remote.name] as const)]);
    this.#reached = new Set(open.map(({ remote }) => remote.name));
    this.#brought = brought;
  }

  /** By presence: remotes that are known to hold any of these are looked for, and asked for nothing. */
  static async look(
    repo: Repository,
    contents: readonly Content[],
    context: Context,
  ): Promise<Elsewhere | undefined> {
    if (contents.length === 0) return undefined;
    const places = placesOf(repo, new Set(contents.map(({ blake3 }) => blake3)), context);
    const known = new Elsewhere(repo, places, { open: [] });
    const only = new Set(
      contents.flatMap(({ blake3 }) => known.#holders(blake3).flatMap(({ remote }) => remote ?? [])),
    );
    if (only.size === 0) return known;
    const { open } = await reach(repo, context, { only });
    await closeAll(open);
    return new Elsewhere(repo, places, { open });
  }

  /**
   * Brings what can be had from any remote within reach, whatever its presence says. Only while writing; `forget` it
   * when all is placed.
   * @throws BkError 'no-space', 'interrupted'
   */
  static async bring(
    repo: Repository,
    contents: readonly Content[],
    context: Context,
  ): Promise<Elsewhere | undefined> {
    if (contents.length === 0) return undefined;
    const { open } = await reach(repo, context, { contents: true });
    try {
      const brought = await bring(repo, contents, open, context);
      const places = placesOf(repo, new Set(contents.map(({ blake3 }) => blake3)), context);
      return new Elsewhere(repo, places, { open, brought });
    } finally {
      await closeAll(open);
    }
  }

  /** Name of the remote that a content came from, or would come from; undefined: it cannot be had. */
  from(blake3: ContentHash): string | undefined {
    const holders = this.#holders(blake3);
    const near = holders.find(({ remote }) => remote !== undefined && this.#reached.has(remote))?.remote;
    if (this.#brought === undefined) return near;
    if (!this.#brought.contents.has(blake3)) return undefined;
    // What an interrupted run had brought does not say where from.
    return this.#brought.from(blake3) ?? near ?? holders[0]?.remote ?? holders[0]?.name ?? 'elsewhere';
  }

  /** What was brought, to be placed. @param link whether the file itself may be given, to the first that asks */
  content(blake3: ContentHash, link: boolean): PlacedContent | undefined {
    return link ? this.#brought?.give(blake3) : this.#brought?.contents.get(blake3);
  }

  lacking(blake3: ContentHash): Lacking {
    const holders = this.#holders(blake3);
    if (holders.length === 0) return { reason: NO_COPY };
    const asked = holders.filter(({ remote }) => remote !== undefined && this.#reached.has(remote));
    const away = holders.filter(({ remote }) => remote !== undefined && !this.#reached.has(remote));
    const strange = holders.filter(({ remote }) => remote === undefined);
    const said = asked.length === 0 ? undefined : (this.#brought?.missing.get(blake3) ?? NO_COPY);
    const reasons = [
      ...(said === undefined ? [] : [said]),
      ...(away.length === 0 ? [] : [`it is on ${listed(away)}, which cannot be reached now`]),
      ...(strange.length === 0 ? [] : [`it is on ${listed(strange)}, which is no remote of this repository`]),
    ];
    return { reason: reasons.join('; '), where: [...new Set(holders.map(({ name }) => name))] };
  }

  forget(): void {
    this.#brought?.forget();
  }

  /** Remotes first, by name. */
  #holders(blake3: ContentHash): Holder[] {
    const holders = new Map<string, Holder>();
    for (const { repository, name } of this.#places(blake3))
      if (repository !== this.#own) holders.set(repository, { name, remote: this.#remotes.get(repository) });
    const rank = ({ remote, name }: Holder) => `${remote === undefined ? 1 : 0}${remote ?? name}`;
    return [...holders.values()].sort((a, b) => (rank(a) < rank(b) ? -1 : 1));
  }
}

/** Why a content that nobody was asked for cannot be had. */
export function lackingOf(elsewhere: Elsewhere | undefined, blake3: ContentHash | undefined): Lacking {
  return blake3 === undefined || elsewhere === undefined ? { reason: NO_COPY } : elsewhere.lacking(blake3);
}

/** Each content once. */
export function contentsOf(
  files: Iterable<{ readonly blake3?: ContentHash | undefined; readonly size: number }>,
): Content[] {
  const contents = new Map<ContentHash, Content>();
  for (const { blake3, size } of files) if (blake3 !== undefined) contents.set(blake3, { blake3, size });
  return [...contents.values()];
}

function listed(holders: readonly Holder[]): string {
  const names = holders.map(({ name, remote }) =>
    remote === undefined || remote === name ? name : `${remote} (“${name}”)`,
  );
  const last = names.pop() ?? '';
  return names.length === 0 ? last : `${names.join(', ')} and ${last}`;
}

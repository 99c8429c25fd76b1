import path from 'node:path';
import { BkError, type ContentHash, type ContentSource, type PlacedContent, type RepoPath } from '@bk/core';
import type { Content } from '@bk/remote';
import { Incoming } from '@bk/store';
import { hashPath } from '@bk/worktree';
import type { Context } from '../context.ts';
import { LiveTree } from '../observe/live-tree.ts';
import { closeAll, type OpenRemote, reach } from '../peers/peers.ts';
import { type From, Sources } from '../recover/sources.ts';
import type { Repository } from '../repository.ts';
import { BringingIn } from './bring-in.ts';

/** Contents that can be placed now, and why the others cannot. */
export interface Brought {
  /** As copies: however many files get one of them, each is a file of its own. `give` is cheaper. */
  readonly contents: ReadonlyMap<ContentHash, PlacedContent>;
  readonly missing: ReadonlyMap<ContentHash, string>;
  /** A remote went away while it was asked. */
  readonly brokenOff: BkError | undefined;
  /** What came from elsewhere. */
  readonly transferred: { readonly files: number; readonly bytes: number };
  /** A content for one file: the first that asks gets the inode itself where nobody else has it, the next ones copies. */
  give(blake3: ContentHash): PlacedContent | undefined;
  /** Name of the remote that it came from, or where it was here. */
  from(blake3: ContentHash): From | string | undefined;
  /** Call it when all is placed, or not to be: what was fetched does not pile up. */
  forget(): void;
}

/** What was fetched and never placed because its command was not given again goes after so long. */
const STALE_MS = 7 * 86_400_000;

/**
 * Makes contents available for `place` steps: those that are here under any name (net, folder) where they are, the
 * others from the remotes, one after the other, into `.bk/staging/incoming`, whole, verified and durable. Goes on where
 * an interrupted one was. Only while writing.
 * @throws BkError 'no-space' before anything is fetched, 'interrupted'
 */
export async function bring(
  repo: Repository,
  wanted: readonly Content[],
  from: readonly OpenRemote[],
  context: Context,
): Promise<Brought> {
  const incoming = new Incoming(repo.layout);
  incoming.expire(context.nowMs() - STALE_MS);
  const here = new Here(repo, wanted);
  const elsewhere = new Map<ContentHash, Content>();
  for (const content of wanted)
    if (content.size > 0 && here.source(content) === undefined) elsewhere.set(content.blake3, content);
  const fetching = new BringingIn(incoming, [...elsewhere.values()], context);
  await fetching.all(from.filter(({ facts }) => facts.historyOnly !== true));
  return brought(wanted, { here, incoming, fetching });
}

function brought(
  wanted: readonly Content[],
  { here, incoming, fetching }: { here: Here; incoming: Incoming; fetching: BringingIn },
): Brought {
  const contents = new Map<ContentHash, PlacedContent>();
  const missing = new Map<ContentHash, string>();
  for (const content of wanted) {
    const { blake3 } = content;
    const found = here.source(content) ?? arrived(incoming, content, 'copy');
    if (found !== undefined) contents.set(blake3, found);
    else if (content.size > 0) missing.set(blake3, fetching.reason(blake3));
  }
  const given = new Set<ContentHash>();
  return {
    contents,
    missing,
    brokenOff: fetching.brokenOff,
    transferred: fetching.transferred,
    give: (blake3) => {
      const copy = contents.get(blake3);
      if (copy === undefined || given.has(blake3)) return copy;
      given.add(blake3);
      return here.sourceItself(copy) ?? arrived(incoming, copy, 'link') ?? copy;
    },
    from: (blake3) => here.from(blake3) ?? fetching.from(blake3),
    forget: () => {
      // Parts of what did not come stay: the next attempt goes on with them.
      for (const blake3 of contents.keys()) if (incoming.has(blake3)) incoming.remove(blake3);
    },
  };
}

function arrived(
  incoming: Incoming,
  { blake3, size }: Content,
  how: 'link' | 'copy',
): PlacedContent | undefined {
  if (incoming.fileOf(blake3) === undefined) return undefined;
  return { source: `staging/incoming/${blake3}`, how, blake3, size };
}

/** Contents that are here under any name. Files of the folder are read before they are offered. */
class Here {
  readonly #sources: Sources;
  readonly #found = new Map<ContentHash, PlacedContent | undefined>();
  readonly #live: LiveTree;
  readonly #dot: string;

  constructor(repo: Repository, wanted: readonly Content[]) {
    const sought = new Map(wanted.map(({ blake3, size }) => [blake3, { size, times: new Set<bigint>() }]));
    this.#sources = new Sources(repo, undefined, sought);
    this.#live = new LiveTree(repo.layout.root);
    this.#dot = repo.layout.dot;
    try {
      for (const content of wanted) this.#found.set(content.blake3, this.#find(content));
    } finally {
      this.#live.close();
    }
  }

  source({ blake3 }: Content): PlacedContent | undefined {
    return this.#found.get(blake3);
  }

  /** The net's own inode, if nobody else has it. */
  sourceItself({ blake3, size }: Content): PlacedContent | undefined {
    if (this.#found.get(blake3) === undefined) return undefined;
    return this.#sources.content({ blake3, size, inode: 0n }, true);
  }

  from(blake3: ContentHash): From | undefined {
    return this.#found.get(blake3) === undefined ? undefined : this.#sources.of(blake3)?.from;
  }

  #find({ blake3, size }: Content): PlacedContent | undefined {
    const found = this.#sources.content({ blake3, size, inode: 0n }, false);
    if (found === undefined) return undefined;
    const places = [found, ...(found.instead ?? [])];
    const good = places.filter((place) => this.#isGood(place, blake3));
    const [best, ...instead] = good;
    return best === undefined ? undefined : { ...best, blake3, size, instead };
  }

  /** Links of the net were read by Sources; what is bad must not keep a good one from being fetched. */
  #isGood({ source, tree }: ContentSource, blake3: ContentHash): boolean {
    if (tree === true) return this.#live.content(source as RepoPath) === blake3;
    return source.includes('-') || hashPath(path.join(this.#dot, source)).hash === blake3;
  }
}

/** As bring, from these remotes; absent: from all that are within reach, closed afterwards. Undefined: nothing was missing. */
export async function bringFromRemotes(
  repo: Repository,
  missing: readonly Content[],
  remotes: readonly OpenRemote[] | undefined,
  context: Context,
): Promise<Brought | undefined> {
  if (missing.length === 0) return undefined;
  if (remotes !== undefined) return bring(repo, missing, remotes, context);
  const { open } = await reach(repo, context, { contents: true });
  try {
    return await bring(repo, missing, open, context);
  } finally {
    await closeAll(open);
  }
}

export interface NearestFirst {
  readonly from: readonly OpenRemote[];
  /** Opens further ones; asked only if something cannot be had from these. Whoever gives them closes them. */
  readonly others?: () => Promise<readonly OpenRemote[]>;
}

/**
 * As bring: from these remotes, and what they do not have from whoever else is within reach.
 * @throws BkError 'unreachable' if one of these went away meanwhile and something is missing: it goes on another time
 */
export async function bringFirstFrom(
  repo: Repository,
  wanted: readonly Content[],
  { from, others }: NearestFirst,
  context: Context,
): Promise<Brought> {
  const first = await bring(repo, wanted, from, context);
  const further = first.missing.size === 0 ? [] : ((await others?.()) ?? []);
  if (further.length === 0) return unlessBrokenOff(first);
  const more = await bring(repo, wanted, further, context);
  const files = first.transferred.files + more.transferred.files;
  const bytes = first.transferred.bytes + more.transferred.bytes;
  const reasons = [...more.missing].map(([blake3, reason]) => {
    const told = from.length === 0 ? [reason] : [first.missing.get(blake3), reason];
    return [blake3, told.filter((one) => one !== undefined).join('; ')] as const;
  });
  const { brokenOff } = first;
  return unlessBrokenOff({ ...more, brokenOff, missing: new Map(reasons), transferred: { files, bytes } });
}

/** What a remote has not is missing; what it had no time to send would be missed for no reason. */
function unlessBrokenOff(brought: Brought): Brought {
  const { missing, brokenOff } = brought;
  if (missing.size === 0 || brokenOff === undefined) return brought;
  throw new BkError('unreachable', brokenOff.message, {
    hint: 'give the same command again; it goes on where it was',
    cause: brokenOff,
  });
}

import type { Context } from '../context.ts';
import { closeAll, type OpenRemote, reach, remotesOf } from '../peers/peers.ts';
import type { Repository } from '../repository.ts';

/** Remotes that are opened only if something cannot be had from the one at hand. */
export class FurtherRemotes {
  readonly #repo: Repository;
  readonly #context: Context;
  readonly #open = new Map<string, OpenRemote>();
  readonly #tried = new Set<string>();

  constructor(repo: Repository, context: Context) {
    this.#repo = repo;
    this.#context = context;
  }

  /** All within reach but these. */
  async besides(known: readonly OpenRemote[]): Promise<readonly OpenRemote[]> {
    const except = new Set(known.map(({ remote }) => remote.name));
    const only = new Set(
      remotesOf(this.#repo).flatMap(({ name }) => (except.has(name) || this.#tried.has(name) ? [] : [name])),
    );
    if (only.size > 0)
      for (const remote of (await reach(this.#repo, this.#context, { only, contents: true })).open)
        this.#open.set(remote.remote.name, remote);
    for (const name of only) this.#tried.add(name);
    return [...this.#open.values()].filter(({ remote }) => !except.has(remote.name));
  }

  close(): Promise<void> {
    return closeAll([...this.#open.values()]);
  }
}

import fs from 'node:fs';
import path from 'node:path';
import { type GitId, parseSubset } from '@bk/core';
import { hostPeer } from '@bk/remote';
import { layoutOf, withRemote, withSubset } from '@bk/store';
import { afterEach, beforeEach, expect } from 'vitest';
import { randomFrom } from '../../../fixtures/random.ts';
import type { Context } from '../context.ts';
import { type FetchResult, fetch } from '../fetch.ts';
import { init } from '../init.ts';
import { type MergeOptions, type MergeResult, merge } from '../merge.ts';
import { repositoryHost } from '../peers/host.ts';
import { openRepository } from '../repository.ts';
import { type SyncOptions, type SyncResult, sync } from '../sync.ts';
import { TestTree } from '../tree.fixture.ts';
import { type MergedOne, mergeWith } from './merge-with.ts';

/** One clock for all machines, in seconds; tests may set it. */
export const clock = { now: 0 };
const PATIENCE_MS = 120_000;
const START = Date.UTC(2026, 9, 1) / 1000;

/** A repository of its own, with a name, ids of its own, and the common clock. */
export class Machine extends TestTree {
  override readonly context: Context;
  readonly name: string;

  constructor(name: string, seed: number) {
    super();
    this.name = name;
    const random = randomFrom(seed);
    this.context = {
      report: () => {},
      nowMs: () => clock.now++ * 1000,
      random: (bytes) => random.bytes(bytes),
    };
    fs.rmSync(layoutOf(this.root).dot, { recursive: true });
    init(this.root, { name }, this.context);
  }

  /** Both know each other as remotes. */
  async meet(other: Machine): Promise<void> {
    await this.#knows(other);
    await other.#knows(this);
  }

  #knows(other: Machine): Promise<void> {
    return this.with((repo) => {
      repo.beginWriting();
      repo.reconfigure((config) => withRemote(config, other.name, { address: other.root }));
    });
  }

  wants(include: readonly string[], exclude: readonly string[] = []): Promise<void> {
    const parsed = parseSubset(include, exclude);
    return this.with((repo) => {
      repo.beginWriting();
      repo.reconfigure((config) => withSubset(config, parsed));
    });
  }

  merge(from?: Machine | string, options: Omit<MergeOptions, 'from'> = {}): Promise<MergeResult> {
    const name = from instanceof Machine ? from.name : from;
    return this.with((repo) =>
      merge(repo, { ...options, ...(name !== undefined && { from: name }) }, this.context),
    );
  }

  fetch(): Promise<FetchResult> {
    return this.with((repo) => fetch(repo, {}, this.context));
  }

  sync(options: SyncOptions = {}): Promise<SyncResult> {
    return this.with((repo) => sync(repo, options, this.context));
  }

  head(): Promise<string | undefined> {
    return this.with((repo) => repo.head);
  }

  read(file: string): string {
    return fs.readFileSync(this.at(file), 'utf8');
  }

  has(file: string): boolean {
    return fs.lstatSync(this.at(file), { throwIfNoEntry: false }) !== undefined;
  }

  /** Writes a file with a modification time of its own: s since 1970. */
  put(file: string, text: string, timeSec: number): void {
    this.write(file, text);
    fs.utimesSync(this.at(file), timeSec, timeSec);
  }

  /** All files, sorted, with their texts. */
  files(): Record<string, string> {
    const found: [string, string][] = [];
    const visit = (folder: string): void => {
      for (const name of fs.readdirSync(this.at(folder), 'latin1')) {
        const file = folder === '' ? name : `${folder}/${name}`;
        if (file === '.bk') continue;
        const stat = fs.lstatSync(this.at(file));
        if (stat.isDirectory()) visit(file);
        else
          found.push([
            file,
            stat.isSymbolicLink() ? `-> ${fs.readlinkSync(this.at(file))}` : this.read(file),
          ]);
      }
    };
    visit('');
    return Object.fromEntries(found.sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  /** Nothing is left undone, and all parts of the repository agree. */
  async verifyAll(): Promise<void> {
    await this.verify();
    const left = ['staging', 'journal'].flatMap((name) => {
      const folder = path.join(this.root, '.bk', name);
      return fs.existsSync(folder) ? (fs.readdirSync(folder, { recursive: true }) as string[]) : [];
    });
    expect(left).toEqual([]);
  }
}

export let a: Machine;
export let b: Machine;
export let c: Machine;

/** For the top of a test file. */
export function threeMachines(): void {
  beforeEach(async () => {
    clock.now = START;
    [a, b, c] = [new Machine('a', 1), new Machine('b', 2), new Machine('c', 3)];
    await a.meet(b);
    await b.meet(c);
    await a.meet(c);
  }, PATIENCE_MS);
  afterEach(() => {
    for (const machine of [a, b, c]) machine[Symbol.dispose]();
  }, PATIENCE_MS);
}

/** All have the same files and history. */
export async function start(make: (tree: Machine) => void, ...others: readonly Machine[]): Promise<void> {
  make(a);
  await a.commit();
  for (const other of others)
    expect(await other.merge(a)).toMatchObject({ result: 'fast-forward', missing: [] });
}

/** Each merges the other as it was: both must come to the same head, whoever it was; then all is quiet. */
export async function both(one: Machine, other: Machine): Promise<[MergeResult, MergeResult]> {
  await one.fetch();
  await other.fetch();
  const heads = [await one.head(), await other.head()];
  const first = await one.merge(heads[1]);
  const second = await other.merge(heads[0]);
  expect(second.commit).toBe(first.commit);
  expect(second.conflicts).toEqual(first.conflicts);
  for (const machine of [one, other]) {
    await machine.verifyAll();
    expect(await machine.merge(undefined)).toMatchObject({ result: 'up-to-date', conflicts: [] });
  }
  expect(one.files()).toEqual(other.files());
  return [first, second];
}

/** As `one.merge(other)` of what was fetched; `work` is done when the first content is asked for, after the look at the folder. */
export async function mergeMeanwhile(one: Machine, other: Machine, work: () => void): Promise<MergedOne> {
  await one.fetch();
  const theirs = (await other.head()) as GitId;
  const there = openRepository(other.root);
  const host = hostPeer(repositoryHost(there, { nowMs: () => other.context.nowMs() }));
  const peer: typeof host = Object.assign(Object.create(host) as typeof host, {
    readContents: (...asked: Parameters<typeof host.readContents>) => {
      work();
      return host.readContents(...asked);
    },
    facts: () => host.facts(),
    close: () => host.close(),
  });
  const from = [{ remote: { name: other.name, address: other.root }, peer, facts: await peer.facts() }];
  try {
    return await one.with((repo) => mergeWith(repo, theirs, { from }, one.context));
  } finally {
    await peer.close();
    there.close();
  }
}

import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { BkError, type GitId, newObjectId, type PathProblem } from '@bk/core';
import {
  type CloneState,
  type Config,
  checkedName,
  HistoryReader,
  IndexDamaged,
  IndexDb,
  removeCloneState,
  SafetyNet,
  syncingFileSystem,
  withRemote,
  withSubset,
  writeCloneState,
  writeConfig,
} from '@bk/store';
import { foldsCaseIn, stableInodes, volumeOf } from '@bk/worktree';
import { departedSince } from '../index/departures.ts';
import { nameOfFolder } from '../init.ts';
import { Pool } from '../observe/pool.ts';
import { lastSeenNow } from '../peers/peers.ts';
import { volumeFacts, volumeFactsAgain } from '../peers/volume.ts';
import { settleAbsence } from '../presence/absent-rows.ts';
import { publishPresence } from '../presence/presence.ts';
import { Repository } from '../repository.ts';
import { countHere } from './again.ts';
import { both } from './both.ts';
import { withoutCaseTwins } from './case.ts';
import { type Copied, type CopyOptions, copyContents } from './copy.ts';
import { syncTree } from './durable.ts';
import type { ClonePlaces } from './files.ts';
import { fetchHistory } from './history.ts';
import { GRAIN_MS, placeStaged, removeStagedTree, settleRows } from './place.ts';
import { type ClonePlan, type CloneResult, type CloneWork, planClone } from './plan.ts';
import { registerClone, tellSource } from './register.ts';
import type { FolderPart } from './selection.ts';
import { checkSpace } from './space.ts';
import { clearSkeleton, lookAtTarget, makeSkeleton } from './target.ts';

/** Makes the clone; what makes it visible is written last. */
export class Cloning {
  /** Whether there is something to go on with, should it break off. */
  hasCopied = false;
  readonly #work: CloneWork;
  readonly #made: readonly string[];
  /** Under the lock nobody else was found to be at work. */
  #isAlone = false;

  /** @param made folders that were made for it */
  constructor(work: CloneWork, made: readonly string[]) {
    this.#work = work;
    this.#made = made;
  }

  /** @param early what is to be done, if that could be found out without the history */
  async run(
    early: ClonePlan | undefined,
    begun: CloneState | undefined,
    commit: GitId | null,
  ): Promise<CloneResult> {
    const { target, context } = this.#work;
    const { layout, root } = target;
    this.hasCopied = begun !== undefined;
    const state = begun ?? this.#newState();
    const repo = new Repository(layout, configOf(state, root, lastSeenNow(context)));
    try {
      repo.beginWriting();
      this.#lookAgain(state, begun);
      this.#isAlone = true;
      if (begun === undefined) writeCloneState(layout, state);
      const staged = state.missing === undefined ? await this.#stage(repo, { state, early, commit }) : state;
      const missing = [...(staged.missing ?? []), ...(await this.#place(repo, staged))];
      if (missing.length > 0) settleAbsence(repo.index);
      repo.reload();
      if (repo.head !== undefined) publishPresence(repo, context);
      writeConfig(layout.config, repo.config);
      const warnings = [...(early?.warnings ?? []), ...(await this.#register(repo))];
      removeCloneState(layout);
      return { root, id: state.id, commit: repo.head ?? null, ...countHere(repo), missing, warnings };
    } catch (error) {
      // While the lock is held: who waits for it must not have begun meanwhile.
      if (this.#isAlone && !this.hasCopied && this.#made.includes(layout.dot)) clearSkeleton(layout);
      throw error;
    } finally {
      repo.close();
    }
  }

  /** Under the lock: another clone to the same folder may have been faster. */
  #lookAgain(state: CloneState, begun: CloneState | undefined): void {
    const { target, subset, options } = this.#work;
    const { pinned = false } = options;
    const now = lookAtTarget(target.root, { source: state.source, subset, pinned });
    const same = now.is === 'begun' ? now.state.id === begun?.id : now.is === 'free' && begun === undefined;
    if (same) return;
    throw new BkError('locked', `cannot clone to ${target.root}: another bk was at work there`, {
      hint: 'give the same command again',
      path: target.root,
    });
  }

  #newState(): CloneState {
    const { options, subset, target, context } = this.#work;
    const { facts, address, repository } = options.from;
    const beside = repository === undefined ? undefined : { root: repository.layout.root, id: facts.volume };
    return {
      v: 1,
      source: facts.id,
      ...(address !== undefined && { address }),
      subset,
      id: newObjectId(context.nowMs(), context.random(10)),
      name: options.name === undefined ? nameOfFolder(target.root) : checkedName(options.name),
      volume: volumeFacts(target.root, beside),
    };
  }

  /** History, contents, net and index, all of it durable; nothing is in place yet. */
  async #stage(
    repo: Repository,
    given: {
      readonly state: CloneState;
      readonly early: ClonePlan | undefined;
      readonly commit: GitId | null;
    },
  ): Promise<CloneState> {
    const { target, options } = this.#work;
    const { layout } = target;
    const { state, early, commit } = given;
    makeSkeleton(layout);
    const source = { peer: options.from.peer, aside: undefined };
    if (early === undefined) await fetchHistory(repo, source, commit);
    const plan = early ?? (await planClone(this.#work, layout.history, commit));
    if (early === undefined && state.commit === undefined) checkSpace(target.root, plan.totals, undefined);
    const resumed = state.commit !== undefined;
    if (!resumed) writeCloneState(layout, { ...state, commit });
    if (commit === null) return this.#staged({ ...state, commit, missing: [], modes: [] });
    this.hasCopied = true;
    // Where both can go on at once they do: nothing gets its place before the history was found to be good.
    const [copied] = await both(
      this.#contents(repo, plan, { state, commit, resumed }),
      early === undefined ? Promise.resolve() : this.#history(repo, plan),
    );
    return this.#staged({ ...state, commit, missing: copied.missing, modes: [...copied.modes] });
  }

  /** Of a repository that is open here. Of a large one another thread takes it, so that nobody waits for files to copy. */
  async #history(repo: Repository, { commit, totals }: ClonePlan): Promise<void> {
    const { peer, repository } = this.#work.options.from;
    if (repository === undefined || totals.files < MANY_RECORDS) {
      await fetchHistory(repo, { peer, aside: undefined }, commit);
      return;
    }
    const pool = new Pool();
    pool.start(1);
    try {
      const { history } = repository.layout;
      await fetchHistory(repo, { peer, aside: { pool, history } }, commit);
    } finally {
      pool.close();
    }
  }

  /** Copies everything into staging; then index and net, while it is made durable. */
  async #contents(
    repo: Repository,
    plan: ClonePlan,
    { state, commit, resumed }: { state: CloneState; commit: GitId; resumed: boolean },
  ): Promise<Copied> {
    const { layout } = this.#work.target;
    const copied = await this.#copy(plan, { state, resumed });
    // The index is durable by itself once it is closed.
    const index = this.#writeIndex(repo, { commit, copied, files: plan.totals.files });
    const [synced] = await both(syncingFileSystem(layout.dot), index);
    if (!synced) {
      new SafetyNet(layout).makeDurable(copied.touched);
      syncTree(stagedTree(layout));
    }
    return copied;
  }

  #staged(state: CloneState): CloneState {
    writeCloneState(this.#work.target.layout, state);
    return state;
  }

  #copy(
    { commit, parts, totals }: ClonePlan,
    { state, resumed }: { state: CloneState; resumed: boolean },
  ): Promise<Copied> {
    const { target, options, pool, context } = this.#work;
    const { layout } = target;
    const { repository, peer } = options.from;
    new SafetyNet(layout).makeFolders();
    const tree = stagedTree(layout);
    const places: ClonePlaces = {
      key: `${state.id} ${context.nowMs()}`,
      source: repository?.layout.root,
      tree,
      safety: layout.safety,
      staging: layout.staging,
      resumed,
    };
    const history = repository?.layout.history ?? layout.history;
    const fitting = fittingParts(parts, { history, staging: layout.staging });
    const common = { places, history, peer, pool, report: context.report, totals };
    const sourceRow = repository && rowsOf(repository, commit);
    return copyContents({
      ...common,
      parts: fitting.parts,
      missing: fitting.missing,
      ...(sourceRow && { sourceRow }),
    });
  }

  /** Rows that vouch for every file: nobody but this process could get at them since they were looked at. */
  async #writeIndex(
    repo: Repository,
    { commit, copied, files }: { readonly commit: GitId; readonly copied: Copied; readonly files: number },
  ): Promise<void> {
    await setTimeout(GRAIN_MS);
    const observedNs = BigInt(Date.now()) * 1_000_000n;
    const { layout } = this.#work.target;
    // The history may still be on its way; the source's says the same.
    const history = this.#work.options.from.repository?.history ?? repo.history;
    repo.reload();
    IndexDb.discard(layout.index);
    const index = IndexDb.open(layout.index);
    try {
      const since = { from: firstOf(history, commit), to: commit, own: repo.config.id };
      const departed = departedSince(history, since).rows;
      index.write({ head: commit, put: copied.rows(observedNs), files, departed });
    } finally {
      index.close();
    }
    repo.reload();
  }

  async #place(repo: Repository, { commit, modes = [] }: CloneState): Promise<PathProblem[]> {
    const { layout } = this.#work.target;
    if (commit === null || commit === undefined) return [];
    const tree = stagedTree(layout);
    const problems = placeStaged({
      layout,
      tree,
      modes: new Map(modes),
      resumed: this.#work.target.is === 'begun',
    });
    removeStagedTree(layout, tree);
    await settleRows(layout, repo.index, new Set(problems.map(({ path }) => path)));
    return problems;
  }

  async #register(repo: Repository): Promise<string[]> {
    const { from } = this.#work.options;
    const why =
      from.repository === undefined
        ? await tellSource(from, repo)
        : await registerClone(from.repository, repo, this.#work.context);
    return why === undefined ? [] : [`the source does not know of this clone yet: ${why}`];
  }
}

/** Rows of the source's index, if it mirrors the commit; a damaged index is of no use. */
function rowsOf({ index }: Repository, commit: GitId | null): CopyOptions['sourceRow'] {
  const readable = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (error instanceof IndexDamaged) return undefined;
      throw error;
    }
  };
  if (readable(() => index.head) !== commit) return undefined;
  return (folder) => readable(() => index.row(folder));
}

/** From here on checking the history takes longer than starting a thread for it. */
const MANY_RECORDS = 5_000;

/** Where names that differ only by case are one name, one of them is left out. */
function fittingParts(
  parts: readonly FolderPart[],
  { history, staging }: { readonly history: string; readonly staging: string },
): { readonly parts: readonly FolderPart[]; readonly missing: readonly PathProblem[] } {
  // What is known to keep apart what differs need not be tried.
  if (stableInodes(volumeOf(staging).type)) return { parts, missing: [] };
  if (!foldsCaseIn(staging)) return { parts, missing: [] };
  const reader = new HistoryReader(history);
  try {
    return withoutCaseTwins(parts, reader);
  } finally {
    reader.close();
  }
}

function stagedTree({ staging }: { readonly staging: string }): string {
  return path.join(staging, 'clone');
}

function configOf(
  { id, name, volume, subset, source, address }: CloneState,
  root: string,
  lastSeen: string,
): Config {
  const config: Config = { v: 1, id, name, settings: {}, volume: volumeFactsAgain(root, volume) };
  const whole = withSubset(config, subset);
  return address === undefined ? whole : withRemote(whole, 'origin', { address, id: source, lastSeen });
}

/** The first commit of its line: nothing can have left before that. */
function firstOf(history: HistoryReader, commit: GitId): GitId {
  for (let id = commit; ; ) {
    const parent = history.readCommit(id).parents[0];
    if (parent === undefined) return id;
    id = parent;
  }
}

import type { TreePlan } from './advance.ts';
import type { TreeChange } from './advance-change.ts';
import { conserve } from './brakes.ts';
import { BkError } from './error.ts';
import type { ContentHash } from './ids.ts';
import { nameOf, parentOf, type RepoPath, ROOT } from './path.ts';
import type { Step } from './plan.ts';

/** A file's content, the mark of a folder that moves whole, or a folder's names. */
export type ModelNode = ContentHash | { readonly whole: RepoPath } | ModelFolder;
export type ModelFolder = Map<string, ModelNode>;

/** A tree in memory on which a plan is tried out before the disk is touched. It refuses whatever would overwrite. */
export class ModelTree {
  readonly root: ModelFolder = new Map();
  readonly #parked = new Map<number, ModelNode>();

  put(path: RepoPath, entry: ModelNode): void {
    this.#folder(parentOf(path), true).set(nameOf(path), entry);
  }

  makeFolder(path: RepoPath): void {
    this.#folder(path, true);
  }

  look(path: RepoPath): ModelNode | undefined {
    let entry: ModelNode | undefined = this.root;
    for (const name of path === ROOT ? [] : path.split('/'))
      entry = isFolder(entry) ? entry.get(name) : undefined;
    return entry;
  }

  /** All files and marks, by path. */
  *files(
    folder: ModelFolder = this.root,
    at = '',
  ): Generator<[RepoPath, ContentHash | { readonly whole: RepoPath }]> {
    for (const [name, entry] of folder) {
      const path = at === '' ? name : `${at}/${name}`;
      if (isFolder(entry)) yield* this.files(entry, path);
      else yield [path as RepoPath, entry];
    }
  }

  /** @throws BkError 'bug' if the step would overwrite something, or does not find what it names */
  apply(step: Step, n: number): void {
    switch (step.do) {
      case 'mkdir':
        if (this.look(step.path) === undefined) this.#add(step.path, new Map());
        else if (!isFolder(this.look(step.path))) throw broken(step, 'a file is there');
        return;
      case 'touch':
        if (this.look(step.path) === undefined) throw broken(step, 'nothing is there');
        return;
      case 'rmdir': {
        const entry = this.look(step.path);
        if (entry !== undefined && !isFolder(entry)) throw broken(step, 'a file is there');
        if (entry?.size === 0) this.#take(step, step.path);
        return;
      }
      case 'remove':
        if (typeof this.#take(step, step.path) !== 'string') throw broken(step, 'a folder is there');
        return;
      case 'park':
        this.#parked.set(n, this.#take(step, step.path));
        return;
      case 'move':
        this.#move(step);
        return;
      case 'place':
      case 'symlink':
        this.#place(step);
        return;
      default:
        step satisfies never;
    }
  }

  #move(step: Extract<Step, { do: 'move' }>): void {
    const parked = step.parked === undefined ? undefined : this.#parked.get(step.parked);
    if (step.parked !== undefined) this.#parked.delete(step.parked);
    const entry = step.parked === undefined ? this.#take(step, step.from) : parked;
    if (entry === undefined) throw broken(step, 'nothing was parked');
    if ((typeof entry === 'string') !== (step.what === 'file')) throw broken(step, 'it is of another kind');
    this.#add(step.path, entry);
  }

  #place(step: Extract<Step, { do: 'place' | 'symlink' }>): void {
    if (step.expect.is === 'entry') {
      const old = this.#take(step, step.path);
      const { blake3 = old } = step.expect;
      if (typeof old !== 'string' || (old !== blake3 && !old.startsWith('link ')))
        throw broken(step, 'something else is there');
    }
    this.#add(step.path, step.do === 'place' ? step.content.blake3 : (`link ${step.target}` as ContentHash));
  }

  #take(step: Step, path: RepoPath): ModelNode {
    const folder = this.look(parentOf(path));
    const entry = isFolder(folder) ? folder.get(nameOf(path)) : undefined;
    if (!isFolder(folder) || entry === undefined) throw broken(step, `nothing is at ${path}`);
    folder.delete(nameOf(path));
    return entry;
  }

  #add(path: RepoPath, entry: ModelNode): void {
    const folder = this.look(parentOf(path));
    if (!isFolder(folder)) throw bug(`the plan needs a folder that is not there: ${parentOf(path)}`);
    if (folder.has(nameOf(path))) throw bug(`the plan would overwrite ${path}`);
    folder.set(nameOf(path), entry);
  }

  #folder(path: RepoPath, make: boolean): ModelFolder {
    let folder = this.root;
    for (const name of path === ROOT ? [] : path.split('/')) {
      let next = folder.get(name);
      if (next === undefined && make) {
        next = new Map();
        folder.set(name, next);
      }
      if (!isFolder(next)) throw bug(`the tree before has a file and a folder at ${path}`);
      folder = next;
    }
    return folder;
  }
}

/** What is here of the changed part of a tree, as a model. */
export function modelBefore(
  change: TreeChange,
  isHere: (path: RepoPath, isFolder: boolean) => boolean,
): ModelTree {
  const model = new ModelTree();
  for (const { path } of change.before.folders) if (isHere(path, true)) model.makeFolder(path);
  for (const { path, blake3, type, target } of change.before.files)
    if (isHere(path, false)) model.put(path, type === 'symlink' ? linkMark(target) : blake3);
  for (const { from } of change.moved) model.put(from, { whole: from });
  return model;
}

/**
 * SPEC 4, rule 6: tries the plan out in memory. Every file of the tree after that is to be here must come out at its
 * path, nothing else, and the contents that are gone must be those that the plan lets go.
 * @throws BkError 'bug'; nothing was changed then
 */
export function checkPlan(
  change: TreeChange,
  plan: TreePlan,
  isHere: (path: RepoPath, isFolder: boolean) => boolean,
): void {
  const model = modelBefore(change, isHere);
  const contents = (): ContentHash[] =>
    [...model.files()].flatMap(([, entry]) => (typeof entry === 'string' ? [entry] : []));
  const before = contents();
  plan.steps.forEach((step, n) => {
    if (step.path !== ROOT) model.apply(step, n);
  });
  const wanted = new Map<RepoPath, string>();
  for (const { path, blake3, type, target } of change.after.files)
    if (!plan.absent.has(path)) wanted.set(path, type === 'symlink' ? linkMark(target) : blake3);
  for (const { from, to } of change.moved) wanted.set(to, `whole ${from}`);
  for (const [path, entry] of model.files()) {
    const found = typeof entry === 'string' ? entry : `whole ${entry.whole}`;
    if (wanted.get(path) !== found) throw bug(`the plan leaves something else at ${path}`);
    wanted.delete(path);
  }
  for (const path of wanted.keys()) throw bug(`the plan leaves nothing at ${path}`);
  conserve(before, contents(), linksMarked(change, plan));
}

/** Links are known to the model by their targets, not by their hashes. */
function linksMarked(change: TreeChange, plan: TreePlan): Set<ContentHash> {
  const listed = new Set<ContentHash>();
  const gone = [...plan.deleted, ...plan.replaced].map(({ type, target, blake3 }) =>
    type === 'symlink' ? linkMark(target) : blake3,
  );
  for (const content of gone) listed.add(content);
  for (const { path, type, target, blake3 } of change.after.files)
    if (!plan.absent.has(path)) listed.delete(type === 'symlink' ? linkMark(target) : blake3);
  return listed;
}

function linkMark(target: string | undefined): ContentHash {
  return `link ${target ?? ''}` as ContentHash;
}

function isFolder(entry: ModelNode | undefined): entry is ModelFolder {
  return entry instanceof Map;
}

function broken(step: Step, why: string): BkError {
  return bug(`the plan cannot ${step.do} ${step.path}: ${why}`);
}

function bug(message: string): BkError {
  return new BkError('bug', message, { hint: 'nothing was changed; please report this' });
}

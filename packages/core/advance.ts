import {
  type Arrival,
  arrivalsOf,
  type DiskFacts,
  type FileAt,
  type FolderAt,
  type TreeChange,
} from './advance-change.ts';
import { depth, type FolderMoves, folderMoves } from './advance-folders.ts';
import { type NameChange, orderChanges } from './advance-order.ts';
import type { ContentHash } from './ids.ts';
import { comparePaths, joinPath, nameOf, parentOf, type RepoPath, ROOT } from './path.ts';
import type { PlacedContent, Step } from './plan.ts';

/** Files, links included; a file can count twice (moved and updated). */
export interface Applied {
  readonly renamed: number;
  /** New here, wherever the bytes come from. */
  readonly copied: number;
  /** Content, mode or time of an object that was here. */
  readonly updated: number;
  readonly deleted: number;
}

/** How this disk is brought from one tree to another. Pure data; `steps` are carried out in order as one transaction. */
export interface TreePlan {
  readonly steps: readonly Step[];
  readonly applied: Applied;
  readonly arrivals: readonly Arrival[];
  /** Files whose bytes a step places. */
  readonly needs: readonly FileAt[];
  /** Files that should be here and whose contents cannot be had: they are absent afterwards. */
  readonly missing: readonly FileAt[];
  /** Paths of the tree after, of those that differ, that are not here afterwards, by design or `missing`. */
  readonly absent: ReadonlySet<RepoPath>;
  /** Objects here before that the tree after does not have. */
  readonly deleted: readonly FileAt[];
  /** Objects here before whose earlier bytes leave the folder. */
  readonly replaced: readonly FileAt[];
  /** Contents that are nowhere in the changed part afterwards: all of them deletions or replacements (rule 6). */
  readonly letGo: ReadonlySet<ContentHash>;
  /** Folders of the tree after, of those that differ, that have something here; and all above them. */
  readonly needed: ReadonlySet<RepoPath>;
  /** Where each folder of the tree before is afterwards. */
  readonly folders: FolderMoves;
}

/**
 * Plans how what is here of one tree becomes what is to be here of another (SPEC 6: renames as renames, a folder that
 * moved as one; P01 to P03: what is outside the subset). A function of two trees: whether one follows from the other
 * does not matter.
 */
export function planBetween(change: TreeChange, ground: DiskFacts): TreePlan {
  return new Planner(change, ground).plan();
}

type Change = NameChange & { readonly arrival?: Arrival; readonly mode?: number };

class Planner {
  readonly #change: TreeChange;
  readonly #ground: DiskFacts;
  readonly #arrivals: readonly Arrival[];
  readonly #folders: FolderMoves;
  readonly #contents = new Map<Arrival, PlacedContent>();
  readonly #missing: FileAt[] = [];
  readonly #absent = new Set<RepoPath>();
  readonly #deleted: FileAt[] = [];
  readonly #replaced: FileAt[] = [];
  /** Files that are let go of, by where they are when all moves are done; a step that places something there captures them. */
  readonly #leaving = new Map<RepoPath, FileAt>();
  readonly #removes: FileAt[] = [];
  readonly #changes: Change[] = [];
  readonly #places: Step[] = [];
  readonly #touches: Step[] = [];

  constructor(change: TreeChange, ground: DiskFacts) {
    this.#change = change;
    this.#ground = ground;
    this.#arrivals = arrivalsOf(change, ground).map((arrival) => this.#withContent(arrival));
    this.#folders = folderMoves(change, this.#arrivals, ground);
  }

  plan(): TreePlan {
    this.#letFilesGo();
    for (const arrival of this.#arrivals) if (arrival.here) this.#arrive(arrival);
    for (const file of this.#leaving.values()) this.#removes.push(file);
    const needed = this.#neededFolders();
    const emptied = this.#planFolders(needed);
    const steps: Step[] = this.#removes
      .sort((a, b) => comparePaths(a.path, b.path))
      .map((file) => ({ do: 'remove', path: file.path, expect: this.#expect(file) }));
    this.#orderNames(steps);
    const byPath = (a: Step, b: Step) => comparePaths(a.path, b.path);
    steps.push(...this.#places.sort(byPath), ...this.#touches.sort(byPath));
    for (const path of emptied) steps.push({ do: 'rmdir', path });
    return {
      steps,
      applied: this.#applied(),
      arrivals: this.#arrivals,
      needs: [...this.#contents.keys()].map(({ after }) => after),
      missing: this.#missing,
      absent: this.#absent,
      deleted: this.#deleted,
      replaced: this.#replaced,
      letGo: this.#letGo(),
      needed,
      folders: this.#folders,
    };
  }

  /** What cannot be had is not here; of links and empty files the record says all. */
  #withContent(arrival: Arrival): Arrival {
    const { after, here, same } = arrival;
    if (here && !same && after.type === 'file') {
      const content = this.#ground.contentOf(after);
      if (content !== undefined) this.#contents.set(arrival, content);
      else {
        this.#missing.push(after);
        this.#absent.add(after.path);
        return { ...arrival, here: false };
      }
    }
    if (!here) this.#absent.add(after.path);
    return arrival;
  }

  #letFilesGo(): void {
    const stays = new Map<FileAt, Arrival>();
    for (const arrival of this.#arrivals)
      if (arrival.before !== undefined && arrival.wasHere) stays.set(arrival.before, arrival);
    for (const file of this.#change.before.files) {
      if (!this.#ground.isHere(file.path, false)) continue;
      const arrival = stays.get(file);
      if (arrival === undefined) this.#deleted.push(file);
      else if (!arrival.same) this.#replaced.push(file);
      else continue;
      const place = this.#carried(file.path);
      if (place === undefined) this.#removes.push(file);
      else this.#leaving.set(place, file);
    }
  }

  /** Where a file is when only the folders have moved. */
  #carried(path: RepoPath): RepoPath | undefined {
    const folder = this.#folders.destinationOf(parentOf(path));
    return folder === undefined ? undefined : joinPath(folder, nameOf(path));
  }

  #arrive(arrival: Arrival): void {
    const { after, before, same } = arrival;
    if (!same || before === undefined) this.#place(arrival);
    else if (this.#carried(before.path) !== after.path)
      this.#changes.push({ from: before.path, to: after.path, what: 'file', arrival });
    else if (metadataDiffers(before, after)) this.#touch(before, after);
  }

  #place(arrival: Arrival): void {
    const { path, mtimeNs, mode, target } = arrival.after;
    const old = this.#leaving.get(path);
    this.#leaving.delete(path);
    const expect = old === undefined ? ({ is: 'absent' } as const) : this.#expect(old);
    const content = this.#contents.get(arrival);
    if (content !== undefined) this.#places.push({ do: 'place', path, expect, content, mode, mtimeNs });
    else this.#places.push({ do: 'symlink', path, expect, target: target ?? '', mtimeNs });
  }

  #touch(before: FileAt, after: FileAt): void {
    this.#touches.push({
      do: 'touch',
      path: after.path,
      expect: this.#ground.expect(before.path),
      ...metadata(before, after),
    });
  }

  #expect({ path, blake3 }: FileAt) {
    return { ...this.#ground.expect(path), blake3 };
  }

  /** @returns folders that nothing is left in, deepest first: removed last, should they be empty in fact */
  #planFolders(needed: ReadonlySet<RepoPath>): RepoPath[] {
    const there = new Map<RepoPath, FolderAt>();
    const emptied: RepoPath[] = [];
    for (const folder of this.#change.before.folders) {
      const { path, stays } = folder;
      if (path === ROOT || !this.#ground.isHere(path, true)) continue;
      const to = this.#folders.destinationOf(path);
      if (to === undefined) this.#changes.push({ from: path, what: 'folder' });
      else {
        there.set(to, folder);
        if (!needed.has(to) && !stays) emptied.push(to);
      }
    }
    for (const [from, to] of this.#folders.moves) this.#changes.push({ from, to, what: 'folder' });
    for (const { path, mode } of this.#change.after.folders) {
      if (path === ROOT) continue;
      const old = there.get(path);
      if (old === undefined && needed.has(path)) this.#changes.push({ to: path, what: 'folder', mode });
      else if (old !== undefined && old.mode !== mode)
        this.#touches.push({ do: 'touch', path, expect: this.#ground.expect(old.path), mode });
    }
    this.#touchRoot();
    return emptied.sort((a, b) => depth(b) - depth(a) || comparePaths(a, b));
  }

  #touchRoot(): void {
    const isRoot = ({ path }: FolderAt): boolean => path === ROOT;
    const before = this.#change.before.folders.find(isRoot);
    const after = this.#change.after.folders.find(isRoot);
    if (before === undefined || after === undefined || before.mode === after.mode) return;
    this.#touches.push({ do: 'touch', path: ROOT, expect: this.#ground.expect(ROOT), mode: after.mode });
  }

  /** Folders of the tree after that have something here in them, or are wanted for themselves. */
  #neededFolders(): Set<RepoPath> {
    const needed = new Set<RepoPath>([ROOT]);
    const need = (path: RepoPath): void => {
      for (let folder = path; !needed.has(folder); folder = parentOf(folder)) needed.add(folder);
    };
    for (const { after, here } of this.#arrivals) if (here) need(parentOf(after.path));
    for (const { to } of this.#change.moved) need(parentOf(to));
    const before = new Map(
      this.#change.before.folders.flatMap((folder) => (folder.id ? [[folder.id, folder]] : [])),
    );
    for (const { path, id } of this.#change.after.folders) {
      const old = id === undefined ? undefined : before.get(id);
      const wasHere = old !== undefined && this.#ground.isHere(old.path, true);
      if (id !== undefined && (wasHere || (old === undefined && this.#ground.wants(path, true)))) need(path);
    }
    return needed;
  }

  #orderNames(steps: Step[]): void {
    const byName = (a: Change, b: Change) => comparePaths(a.from ?? a.to ?? '', b.from ?? b.to ?? '');
    const parked = new Map<Change, number>();
    for (const { change, how } of orderChanges(this.#changes.sort(byName))) {
      const { from, to, what, arrival, mode } = change;
      if (from === undefined && to !== undefined) steps.push({ do: 'mkdir', path: to, mode: mode ?? 0o755 });
      else if (from !== undefined && to === undefined) steps.push({ do: 'rmdir', path: from });
      else if (from !== undefined && to !== undefined) {
        const { before, after } = arrival ?? {};
        const expect = before === undefined ? this.#ground.expect(from) : this.#expect(before);
        if (how === 'park') {
          parked.set(change, steps.length);
          steps.push({ do: 'park', path: from, what, expect });
          continue;
        }
        const park = parked.get(change);
        const meta = before === undefined || after === undefined ? {} : metadata(before, after);
        steps.push({
          do: 'move',
          path: to,
          from,
          what,
          expect,
          ...(park !== undefined && { parked: park }),
          ...meta,
        });
      }
    }
  }

  #applied(): Applied {
    let renamed = this.#change.moved.reduce((sum, { files }) => sum + files, 0);
    let copied = 0;
    let updated = 0;
    for (const { before, after, wasHere, here, same } of this.#arrivals) {
      if (!here) continue;
      if (!wasHere || before === undefined) copied++;
      else {
        if (before.path !== after.path) renamed++;
        if (!same || metadataDiffers(before, after)) updated++;
      }
    }
    return { renamed, copied, updated, deleted: this.#deleted.length };
  }

  #letGo(): ReadonlySet<ContentHash> {
    const gone = new Set([...this.#deleted, ...this.#replaced].map(({ blake3 }) => blake3));
    for (const { after, here } of this.#arrivals) if (here) gone.delete(after.blake3);
    return gone;
  }
}

function metadataDiffers(before: FileAt, after: FileAt): boolean {
  return before.mtimeNs !== after.mtimeNs || (after.type === 'file' && before.mode !== after.mode);
}

function metadata(before: FileAt, after: FileAt): { readonly mode?: number; readonly mtimeNs?: bigint } {
  return {
    ...(after.type === 'file' && before.mode !== after.mode && { mode: after.mode }),
    ...(before.mtimeNs !== after.mtimeNs && { mtimeNs: after.mtimeNs }),
  };
}

import type { FolderContents } from './folder-contents.ts';

/** What lies in more folders of ours than this (thumbnails, licences) does not tell which of them is meant. */
const MOST_HOMES = 16;

/** By content, the folders of ours that have it directly, ascending. */
export type Homes = readonly (readonly number[] | undefined)[];

export function homesOf(ours: FolderContents, contents: number): Homes {
  const homes = new Array<number[] | undefined>(contents);
  for (let folder = 0; folder < ours.paths.length; folder++) {
    for (let i = ours.firstFile[folder]!; i < ownEnd(ours, folder); i++) {
      const known = homes[ours.contents[i]!];
      if (known === undefined) homes[ours.contents[i]!] = [folder];
      else if (known.at(-1) !== folder) known.push(folder);
    }
  }
  return homes;
}

/** Where the files directly in a folder end. */
function ownEnd(tree: FolderContents, folder: number): number {
  return tree.firstFile[folder + 1]!;
}

/** How many contents, and how many files, of a folder of theirs each folder of ours has below it. */
export class FolderPoll {
  readonly held: Int32Array;
  readonly files: Int32Array;
  readonly #ours: FolderContents;
  readonly #homes: Homes;
  /** By folder of ours, the number of the last vote for it, so that a vote counts once. */
  readonly #voteAt: Int32Array;
  readonly #askedBy: Int32Array;
  #votes = 0;

  constructor(ours: FolderContents, homes: Homes) {
    this.#ours = ours;
    this.#homes = homes;
    this.held = new Int32Array(ours.paths.length);
    this.files = new Int32Array(ours.paths.length);
    this.#voteAt = new Int32Array(ours.paths.length);
    this.#askedBy = new Int32Array(homes.length).fill(-1);
  }

  /** Distinct contents below each folder of ours, and all of them. Common ones are not counted. */
  contentsBelow(): { readonly below: Int32Array; readonly all: number } {
    const below = new Int32Array(this.held.length);
    let all = 0;
    for (let content = 0; content < this.#homes.length; content++) {
      if (this.#homes[content] === undefined || this.#isCommon(content)) continue;
      all++;
      this.#forFolders(content, (folder) => below[folder]!++);
    }
    return { below, all };
  }

  /** `asked`: distinct contents of the folder that can tell; `voted`: folders of ours that have any of them. */
  ask(theirs: FolderContents, folder: number): { readonly asked: number; readonly voted: number[] } {
    const voted: number[] = [];
    let asked = 0;
    const last = theirs.firstFile[theirs.end[folder]!]!;
    for (let i = theirs.firstFile[folder]!; i < last; i++) {
      const content = theirs.contents[i]!;
      if (this.#isCommon(content)) continue;
      const isNew = this.#askedBy[content] !== folder;
      this.#askedBy[content] = folder;
      if (isNew) asked++;
      this.#forFolders(content, (home) => {
        if (this.files[home]!++ === 0) voted.push(home);
        if (isNew) this.held[home]!++;
      });
    }
    return { asked, voted };
  }

  reset(voted: readonly number[]): void {
    for (const folder of voted) this.held[folder] = this.files[folder] = 0;
  }

  #isCommon(content: number): boolean {
    return (this.#homes[content]?.length ?? 0) > MOST_HOMES;
  }

  /** Each folder of ours that has the content below it, once. */
  #forFolders(content: number, use: (folder: number) => void): void {
    const vote = ++this.#votes;
    const { above } = this.#ours;
    for (const home of this.#homes[content] ?? []) {
      for (let folder = home; folder >= 0 && this.#voteAt[folder] !== vote; folder = above[folder]!) {
        this.#voteAt[folder] = vote;
        use(folder);
      }
    }
  }
}

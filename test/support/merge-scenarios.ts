import fs from 'node:fs';
import path from 'node:path';
import { replaceAtomically } from '../../fixtures/small-tree.ts';
import { bk, repository } from './bk.ts';
import { worldAt } from './oracle.ts';
import { neighbourAt, plainWorld, type Scenario } from './scenarios.ts';

/**
 * Merges under faults, each repository on a volume of its own. The first one is where the command runs, the second its
 * remote `copy1`; both committed since they had the same head. A merge has one outcome, to the bit: the same head, the
 * same tree.
 */

/** One person's hands in one repository. */
class Hands {
  readonly root: string;
  readonly #seconds: number;

  /** @param seconds modification time of what is written, s since 1970 */
  constructor(point: string, seconds: number) {
    this.root = worldAt(point).root;
    this.#seconds = seconds;
  }

  at(name: string): string {
    return path.join(this.root, name);
  }

  write(name: string, text: string): void {
    fs.mkdirSync(path.dirname(this.at(name)), { recursive: true });
    replaceAtomically(this.at(name), text);
    fs.utimesSync(this.at(name), this.#seconds, this.#seconds);
  }

  move(from: string, to: string): void {
    fs.mkdirSync(path.dirname(this.at(to)), { recursive: true });
    fs.renameSync(this.at(from), this.at(to));
  }

  /** Each takes the name of the next one, the last that of the first. */
  rotate(...names: readonly string[]): void {
    const [first = '', ...others] = names;
    this.move(names.at(-1) ?? '', 'aside');
    for (const [i, name] of [...others].reverse().entries()) this.move(names.at(-2 - i) ?? '', name);
    this.move('aside', first);
  }

  remove(name: string): void {
    fs.rmSync(this.at(name), { recursive: true });
  }

  commit(): void {
    bk(['-C', this.root, 'commit', '-m', 'work', '--keep-deletions']);
  }
}

const OURS = Date.UTC(2026, 2, 1) / 1000;
const THEIRS = Date.UTC(2026, 2, 2) / 1000;

type Work = (hands: Hands) => void;

/** Two repositories with the same head, and then what each of them did. */
function apart(points: readonly string[], base: Work, ours: Work, theirs: Work): void {
  const [point = '', other = ''] = points;
  const root = plainWorld(point);
  base(new Hands(point, OURS));
  repository(root);
  neighbourAt(other);
  bk(['-C', root, 'clone', '--name', 'copy1', worldAt(other).root]);
  both(points, ours, theirs);
}

function both([point = '', other = '']: readonly string[], ours: Work, theirs: Work): void {
  for (const [where, seconds, work] of [
    [point, OURS, ours],
    [other, THEIRS, theirs],
  ] as const) {
    const hands = new Hands(where, seconds);
    work(hands);
    hands.commit();
  }
}

function track(n: number): string {
  return `music/album/0${n} track.flac`;
}

const MERGE_COMMAND = {
  command: ['merge', 'copy1'],
  volumes: 2,
  code: 1,
  again: [0, 1],
  exact: true,
} as const;

/** All that a merge can do to files at once, and conflicts of three kinds. */
export const MERGE: Scenario = {
  ...MERGE_COMMAND,
  name: 'merge',
  make: (...points) =>
    apart(
      points,
      (base) => base.write('drafts/only.txt', 'a draft\n'),
      (ours) => {
        ours.write('top.bin', 'edited here\n');
        ours.write('bin/run.sh', '#!/bin/sh\nexit 1\n');
        ours.write('photos/2019/added here.jpg', 'added here\n');
        ours.write('photos/2019/img_1.jpg', 'retouched here\n');
        ours.write('travel/2020.txt', 'ours of 2020\n');
        ours.move('notes/copy of letter.txt', 'notes/copy.txt');
        ours.remove(track(5));
      },
      (theirs) => {
        theirs.write('top.bin', 'edited there\n');
        theirs.remove('bin/run.sh');
        theirs.write('photos/2019/img_2.jpg', 'retouched there\n');
        theirs.move('photos/2019', 'archive/2019');
        theirs.rotate('notes/letter.txt', 'notes/todo.txt');
        theirs.rotate(track(1), track(2), track(3));
        theirs.move(track(4), 'music/album/04 renamed.flac');
        theirs.remove(track(0));
        theirs.remove('drafts');
        theirs.write('notes/fetched.txt', 'to be fetched\n');
        theirs.write('travel/2020.txt', 'theirs of 2020\n');
        theirs.write('travel/far/away.txt', 'from far away\n');
        fs.chmodSync(theirs.at('private'), 0o755);
      },
    ),
};

/** Folders that change places, two and three of them, with work of both sides in them. */
export const MERGE_FOLDERS: Scenario = {
  ...MERGE_COMMAND,
  name: 'merge of folders that changed places',
  code: 0,
  make: (...points) =>
    apart(
      points,
      (base) => {
        for (const name of ['one', 'two', 'x', 'y', 'z'])
          for (const file of ['a', 'b']) base.write(`${name}/${file}`, `${file} of ${name}\n`);
      },
      (ours) => {
        ours.write('one/a', 'edited here\n');
        ours.write('x/added', 'added here\n');
        ours.remove('z/b');
      },
      (theirs) => {
        theirs.rotate('one', 'two');
        theirs.rotate('x', 'y', 'z');
        theirs.write('two/b', 'edited there\n');
      },
    ),
};

/** The first holds the notes only. A file leaves them, another comes, and both sides edited one. */
export const MERGE_PART: Scenario = {
  ...MERGE_COMMAND,
  name: 'merge in a partial clone',
  make: (point, whole = '') => {
    const origin = plainWorld(whole);
    repository(origin);
    neighbourAt(point);
    bk(['-C', origin, 'clone', '--name', 'part', '--subset', 'notes', worldAt(point).root]);
    both(
      [point, whole],
      (ours) => {
        ours.write('notes/todo.txt', 'edited here\n');
        ours.move('notes/letter.txt', 'notes/post/letter.txt');
      },
      (theirs) => {
        theirs.write('notes/todo.txt', 'edited there\n');
        theirs.move('notes/copy of letter.txt', 'kept/copy.txt');
        theirs.move(track(1), 'notes/heard.flac');
        theirs.move('photos', 'pictures');
        theirs.write('top.bin', 'edited there\n');
        theirs.remove('notes/empty');
      },
    );
  },
  command: ['merge', 'origin'],
};

/** Both are at the same commit afterwards, and hold the same. */
export const SYNC: Scenario = {
  ...MERGE_COMMAND,
  name: 'sync that merges and pushes',
  make: (...points) =>
    apart(
      points,
      (base) => base.write('drafts/only.txt', 'a draft\n'),
      (ours) => {
        ours.move('music', 'songs');
        ours.write('notes/todo.txt', 'edited here\n');
        ours.write('notes/ours.txt', 'added here\n');
        ours.remove('drafts');
      },
      (theirs) => {
        theirs.write('notes/todo.txt', 'edited there\n');
        theirs.write(track(1), 'tagged there\n');
        theirs.rotate(track(2), track(3));
      },
    ),
  command: ['sync', 'copy1'],
  failing: [0, 1, 3, 4],
};

export const MERGES: readonly Scenario[] = [MERGE, MERGE_FOLDERS, MERGE_PART, SYNC];

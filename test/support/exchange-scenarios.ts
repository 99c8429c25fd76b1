import fs from 'node:fs';
import path from 'node:path';
import { editSmallTree } from '../../fixtures/small-tree.ts';
import { bk, repository } from './bk.ts';
import { worldAt } from './oracle.ts';
import { neighbourAt, plainWorld, type Scenario } from './scenarios.ts';

/** Commands between repositories, each on a volume of its own. The first one is where the command runs. */

/** The whole tree in the first, and clones of it, named after their places, in the others. */
function family(point: string, ...others: string[]): string {
  const root = plainWorld(point);
  repository(root);
  for (const [i, other] of others.entries()) {
    neighbourAt(other);
    bk(['-C', root, 'clone', '--name', `copy${i + 1}`, worldAt(other).root]);
  }
  return root;
}

/** The whole tree in the second; the first is a clone with the notes only. */
function partial(point: string, whole: string): string {
  const origin = plainWorld(whole);
  repository(origin);
  neighbourAt(point);
  bk(['-C', origin, 'clone', '--name', 'part', '--subset', 'notes', worldAt(point).root]);
  return worldAt(point).root;
}

/** Somebody worked in that repository. */
function work(root: string): void {
  editSmallTree(root);
  bk(['-C', root, 'commit', '-m', 'second', '--keep-deletions']);
}

const ROTTEN = 'photos/2019/img_2.jpg';

export const CLONE: Scenario = {
  name: 'clone',
  volumes: 2,
  make: (point, other = '') => {
    repository(plainWorld(point));
    neighbourAt(other);
  },
  command: ['clone', '--name', 'copy', '@1'],
};

export const DROP: Scenario = {
  name: 'drop a folder',
  volumes: 2,
  make: family,
  command: ['drop', 'photos', '--copies', '1'],
  failing: [0, 1, 3, 4],
};

export const DROP_FILE: Scenario = {
  ...DROP,
  name: 'drop where a copy stays',
  volumes: 3,
  command: ['drop', 'notes/letter.txt', 'music'],
};

export const GET: Scenario = {
  name: 'get a folder',
  volumes: 2,
  make: (point, other = '') => void partial(point, other),
  command: ['get', 'photos'],
};

export const REPAIR: Scenario = {
  name: 'repair a rotten file',
  volumes: 2,
  make: family,
  spoil: (template) => {
    const good = fs.readFileSync(path.join(worldAt(template.fresh()).root, ROTTEN));
    const bad = Buffer.from(good);
    bad[100] = (bad[100] ?? 0) ^ 1;
    template.spoil(0, good, bad);
  },
  command: ['repair'],
  failing: [0, 1, 3, 4],
};

export const EXCHANGES: readonly Scenario[] = [
  CLONE,
  {
    ...CLONE,
    name: 'clone of a part',
    command: [
      ...['clone', '--name', 'copy', '--subset', 'photos', '--subset', 'notes'],
      ...['--exclude', 'photos/2019/img_3.jpg', '@1'],
    ],
  },
  GET,
  {
    ...GET,
    name: 'get where a file is in the way',
    make: (point, other = '') => {
      const root = partial(point, other);
      fs.mkdirSync(path.join(root, 'photos/2019'), { recursive: true });
      fs.writeFileSync(path.join(root, 'photos/2019/img_1.jpg'), 'made by a person\n');
    },
    code: 1,
  },
  DROP,
  DROP_FILE,
  REPAIR,
  { name: 'verify', make: (point) => repository(plainWorld(point)), command: ['verify'] },
  {
    name: 'fetch',
    volumes: 2,
    make: (point, other = '') => {
      family(point, other);
      work(worldAt(other).root);
    },
    command: ['fetch', 'copy1'],
  },
  {
    name: 'push that moves the other folder',
    volumes: 2,
    make: (point, other = '') => work(family(point, other)),
    command: ['push', 'copy1'],
    failing: [0, 1, 3, 4],
  },
  {
    name: 'sync that moves this folder',
    volumes: 2,
    make: (point, other = '') => {
      family(point, other);
      work(worldAt(other).root);
    },
    command: ['sync', 'copy1'],
    failing: [0, 1, 3, 4],
  },
  {
    name: 'subset set',
    volumes: 2,
    make: family,
    command: ['subset', 'set', 'photos', 'notes'],
    failing: [0, 1, 3, 4],
  },
];

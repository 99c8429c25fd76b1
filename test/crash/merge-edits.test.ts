import process from 'node:process';
import { describe, expect, test } from 'vitest';
import { type Edit, meanwhile } from '../support/meanwhile.ts';
import { MERGE } from '../support/merge-scenarios.ts';
import { needsVolumes } from '../support/mounts.ts';
import { Stage } from '../support/rounds.ts';

/** C10 to C12: a person works in the folder while a merge works there. */
const NEW = 'written meanwhile\n';

/** As editors save: a new file, renamed over the old one. */
function saved(file: string): Edit['ways'][number] {
  return [
    ['statSync', file],
    ['writeFileSync', `${file}.swp`, NEW],
    ['renameSync', `${file}.swp`, file],
  ];
}

const EDITS: readonly Edit[] = [
  { name: 'saves a file that changes places', ways: [saved('./notes/todo.txt')], made: [NEW] },
  { name: 'saves a file that is to be replaced', ways: [saved('./top.bin')], made: [NEW] },
  { name: 'saves a file that is to go', ways: [saved('./music/album/00 track.flac')], made: [NEW] },
  {
    name: 'writes in place to a file in a folder that moves',
    ways: ['./photos', './archive'].map((folder) => [
      ['truncateSync', `${folder}/2019/img_0.jpg`, 0],
      ['writeFileSync', `${folder}/2019/img_0.jpg`, NEW],
    ]),
    made: [NEW],
    inPlace: true,
  },
  {
    name: 'makes a file where one is to come',
    ways: [[['writeFileSync', './notes/fetched.txt', NEW, { flag: 'wx' }]]],
    made: [NEW],
  },
  {
    name: 'makes a folder where one is to come',
    ways: [
      [
        ['mkdirSync', './archive'],
        ['writeFileSync', './archive/mine.txt', NEW],
      ],
      [['writeFileSync', './archive/mine.txt', NEW]],
    ],
    made: [NEW],
  },
  {
    name: 'renames the folder that is to move',
    ways: [[['renameSync', './photos', './pictures']], [['renameSync', './archive', './pictures']]],
  },
  { name: 'renames a folder in which something is to come', ways: [[['renameSync', './notes', './papers']]] },
  {
    name: 'puts a link in the place of a folder',
    ways: [
      [
        ['renameSync', './music', './tunes'],
        ['symlinkSync', '../canary', './music'],
      ],
    ],
  },
  {
    name: 'deletes a file that changes places',
    ways: [[['unlinkSync', './notes/letter.txt']]],
    deleted: ['notes/letter.txt', 'notes/todo.txt'],
  },
  {
    name: 'deletes a folder in which something is to come',
    ways: [[['rmSync', './notes', { recursive: true }]]],
    deleted: ['notes'],
  },
];

/** Just before the first step, and one of the moments after that. BK_SWEEP=all: one in three, for every edit and not every other one, by hand. */
function moments({ ops }: Stage, i: number): number[] {
  const first = ops.findIndex(({ subject }) => subject.includes('/.bk/journal/'));
  const last = ops.findLastIndex(({ subject }) => subject.includes('/.bk/journal/'));
  const during = ops.slice(first, last + 1).map(({ n }) => n);
  if (process.env['BK_SWEEP'] === 'all') return during.filter((n) => n % 3 === i % 3);
  return [4, 5 + ((i * 29) % (during.length - 5))].map((k) => during[k] ?? 1);
}

describe(`somebody works meanwhile: ${MERGE.name}`, () => {
  let stage: Stage | undefined;

  const edits = EDITS.map((edit, i) => ({ ...edit, i }));
  test.for(edits.filter(({ i }) => process.env['BK_SWEEP'] === 'all' || i % 2 === 0))(
    '$name',
    ({ i, ...edit }, context) => {
      needsVolumes(context);
      stage ??= new Stage(MERGE);
      const rounds = moments(stage, i).map((n) => meanwhile(stage as Stage, n, edit));
      expect(rounds.flatMap((found) => found ?? [])).toEqual([]);
      expect(rounds[0]).toBeDefined();
    },
  );

  test('before it looks: it stops, and names what is changed', (context) => {
    needsVolumes(context);
    stage ??= new Stage(MERGE);
    const [edit] = EDITS;
    expect(edit && meanwhile(stage, 5, edit)).toEqual([]);
  });
});

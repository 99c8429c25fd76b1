import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { bk, repository, run } from '../support/bk.ts';
import { commit, has, read, write } from '../support/family.ts';
import { fsckProblems } from '../support/history.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';

/** A file system beside that of temporaryFolder: two volumes. */
const hasMemory =
  fs.existsSync('/dev/shm') && fs.statSync('/dev/shm').dev !== fs.statSync(temporaryFolder()).dev;

const BOAT = ['trip/boat.CR2', 'trip/boat.CR2.xmp', 'trip/boat.JPG', 'trip/boat.xmp'];
const LIVE = ['phone/IMG_1.HEIC', 'phone/IMG_1.MOV'];
const REST = ['trip/lake.JPG', 'trip/lake.txt'];
const ALL = [...LIVE, ...BOAT, ...REST];
const here = (root: string) => ALL.filter((file) => has(root, file));

function grown(base = temporaryFolder('bk-companions-')): string {
  const root = path.join(base, 'laptop');
  for (const file of ALL) write(root, file, `content of ${file}`);
  repository(root);
  return root;
}

function clone(root: string, ...options: string[]): string {
  const disk = path.join(fastFolder('bk-companions-'), 'disk');
  bk(['-C', root, 'clone', ...options, disk]);
  return disk;
}

test('drop and get take companions along, and say so', (context) => {
  context.skip(!hasMemory, 'needs a second file system at /dev/shm');
  const laptop = grown();
  const disk = clone(laptop);
  const dropped = run(['-C', laptop, 'drop', 'trip/boat.JPG', 'phone/IMG_1.MOV', '--copies', '1']);
  expect(dropped.stdout).toBe(
    [
      'companions, so meant too: 4',
      '  trip/boat.CR2      of trip/boat.JPG',
      '  trip/boat.CR2.xmp  of trip/boat.JPG',
      '  trip/boat.xmp      of trip/boat.JPG',
      '  phone/IMG_1.HEIC   of phone/IMG_1.MOV',
      '6 files (153 B) freed here\n',
    ].join('\n'),
  );
  expect(here(laptop)).toEqual(REST);
  expect(bk(['-C', laptop, 'status']).changes).toEqual([]);
  const back = bk(['-C', laptop, 'get', 'trip/boat.xmp']);
  expect(back['companions']).toEqual(BOAT.slice(0, 3).map((file) => ({ path: file, of: 'trip/boat.xmp' })));
  expect(BOAT.map((file) => read(laptop, file))).toEqual(BOAT.map((file) => read(disk, file)));
  expect(here(laptop)).toEqual([...BOAT, ...REST]);
});

test('drop leaves companions together where one of them has to stay', (context) => {
  context.skip(!hasMemory, 'needs a second file system at /dev/shm');
  const laptop = grown();
  clone(laptop);
  write(laptop, 'trip/boat.CR2.xmp', 'other settings');
  const dropped = run(['-C', laptop, 'drop', 'trip', '--copies', '1']);
  expect(dropped.code).toBe(1);
  expect(dropped.stdout).toContain('its companion trip/boat.CR2.xmp has to stay: 3');
  expect(here(laptop)).toEqual([...LIVE, ...BOAT]);
});

/** What came back: `path`, and the file of which it is a companion. */
const recovered = (root: string, ...args: string[]) =>
  (bk(['-C', root, 'recover', ...args]).recovered as readonly { path: string; of?: string }[]).map(
    ({ path: at, of }) => (of === undefined ? at : `${at} of ${of}`),
  );

function removeAll(root: string, files: readonly string[]): void {
  for (const file of files) fs.rmSync(path.join(root, file));
}

test('recover brings back deleted companions, and says so', () => {
  const laptop = grown();
  removeAll(laptop, ['trip/boat.CR2', 'trip/boat.CR2.xmp', 'trip/boat.xmp', 'trip/lake.JPG']);
  const expected = ['trip/boat.CR2', 'trip/boat.CR2.xmp of trip/boat.CR2', 'trip/boat.xmp of trip/boat.CR2'];
  const offered = bk(['-C', laptop, 'recover', '--list', 'trip/boat.CR2']).recoverable;
  expect(offered.map((one) => one.path)).toEqual(['trip/boat.CR2', 'trip/boat.CR2.xmp', 'trip/boat.xmp']);
  expect(recovered(laptop, 'trip/boat.CR2', '--dry-run')).toEqual(expected);
  bk(['-C', laptop, 'commit', '-m', 'gone', '--keep-deletions']);
  expect(recovered(laptop, 'trip/boat.CR2')).toEqual(expected);
  expect(here(laptop)).toEqual(ALL.filter((file) => file !== 'trip/lake.JPG'));
  expect(read(laptop, 'trip/boat.CR2.xmp')).toBe('content of trip/boat.CR2.xmp');
  expect(recovered(laptop, 'trip/boat.CR2')).toEqual([]);
  const told = run(['-C', laptop, 'recover', 'trip/lake.JPG']);
  expect(told.stdout).not.toContain('companion');
  removeAll(laptop, LIVE);
  expect(run(['-C', laptop, 'recover', 'phone/IMG_1.MOV']).stdout).toContain(
    'phone/IMG_1.HEIC (companion of phone/IMG_1.MOV)',
  );
});

test('recover --at and --to, too', () => {
  const laptop = grown();
  removeAll(laptop, BOAT.slice(1));
  bk(['-C', laptop, 'commit', '-m', 'gone', '--keep-deletions']);
  const out = path.join(fastFolder('bk-companions-'), 'out');
  expect(recovered(laptop, 'trip/boat.JPG', '--at', 'HEAD~1', '--to', out)).toHaveLength(3);
  expect(here(out)).toEqual(BOAT.slice(1));
});

test('what was deleted together and finds another picture in its place comes back beside it together', () => {
  const laptop = grown();
  removeAll(laptop, BOAT);
  bk(['-C', laptop, 'commit', '-m', 'gone', '--keep-deletions', '--allow-mass-delete']);
  write(laptop, 'trip/boat.JPG', 'another boat');
  bk(['-C', laptop, 'commit', '-m', 'new']);
  const names = recovered(laptop, 'trip/boat.CR2').map((line) =>
    line.replace(/ of .*| \(recovered [-\d]+\)/g, ''),
  );
  expect(names.sort()).toEqual(BOAT);
  const beside = fs.readdirSync(path.join(laptop, 'trip')).filter((name) => name.includes('(recovered'));
  expect(beside.sort()).toEqual(
    ['.CR2', '.CR2.xmp', '.JPG', '.xmp'].map((end) =>
      expect.stringMatching(`^boat \\(recovered [-\\d]+\\)${end.replaceAll('.', '\\.')}$`),
    ),
  );
  expect(recovered(laptop, 'trip/boat.CR2')).toEqual([]);
});

test('a subset takes companions along: in a clone, in what comes later, and when it is changed', (context) => {
  context.skip(!hasMemory, 'needs a second file system at /dev/shm');
  const laptop = grown();
  const disk = clone(laptop, '--subset', '**/*.JPG');
  expect(here(disk)).toEqual([...BOAT, 'trip/lake.JPG']);
  write(laptop, 'trip/lake.JPG.xmp', 'five stars');
  write(laptop, 'trip/sea.CR2', 'raw sea');
  write(laptop, 'trip/sea.jpg', 'another letter case is another name');
  bk(['-C', laptop, 'commit', '-m', 'new']);
  bk(['-C', laptop, 'push', 'disk']);
  expect(['lake.JPG.xmp', 'sea.CR2', 'sea.jpg'].map((name) => has(disk, `trip/${name}`))).toEqual([
    true,
    false,
    false,
  ]);
  expect(bk(['-C', disk, 'status']).changes).toEqual([]);

  const wider = bk(['-C', disk, 'subset', 'add', '**/*.HEIC']);
  expect(wider['coming']).toMatchObject({ files: 2, paths: LIVE.map((file) => ({ path: file })) });
  bk(['-C', disk, 'get', 'phone']);
  const narrower = bk(['-C', disk, 'subset', 'set', '**/*.MOV', 'trip/lake.JPG']);
  expect(narrower['leaving']).toMatchObject({ files: 4, paths: BOAT.map((file) => ({ path: file })) });
  bk(['-C', disk, 'drop', 'trip/boat.JPG', '--copies', '1']);
  expect(here(disk)).toEqual([...LIVE, 'trip/lake.JPG']);
});

test('what a subset excludes by name is not taken along, and goes by itself', (context) => {
  context.skip(!hasMemory, 'needs a second file system at /dev/shm');
  const laptop = grown();
  const disk = clone(laptop, '--exclude', '**/*.CR2');
  expect(here(disk)).toEqual(ALL.filter((file) => file !== 'trip/boat.CR2'));
  const both = clone(laptop, '--subset', '**/*.JPG', '--exclude', '**/*.xmp');
  expect(here(both)).toEqual(['trip/boat.CR2', 'trip/boat.JPG', 'trip/lake.JPG']);
  bk(['-C', both, 'subset', 'add', '--exclude', '**/*.CR2'], { expect: [0] });
  bk(['-C', both, 'drop', 'trip/boat.CR2', '--copies', '1']);
  expect(here(both)).toEqual(['trip/boat.JPG', 'trip/lake.JPG']);
});

test('after a merge each version of a picture has its own companions', () => {
  const laptop = grown();
  const disk = clone(laptop);
  const day = (number: number) => Date.UTC(2020, 0, number) / 1000;
  write(laptop, 'trip/boat.JPG', 'cropped', day(5));
  write(laptop, 'trip/boat.CR2.xmp', 'settings for cropped', day(2));
  commit(laptop);
  write(disk, 'trip/boat.JPG', 'bright', day(3));
  write(disk, 'trip/boat.CR2.xmp', 'settings for bright', day(4));
  commit(disk);
  const merged = bk(['-C', laptop, 'merge', 'disk']);
  const beside = 'trip/boat (conflict disk 2020-01-03)';
  expect((merged['conflicts'] as { kept: string[] }[]).flatMap(({ kept }) => kept)).toEqual([
    `${beside}.CR2.xmp`,
    `${beside}.JPG`,
  ]);
  const texts = (root: string, stem: string) => [read(root, `${stem}.JPG`), read(root, `${stem}.CR2.xmp`)];
  bk(['-C', disk, 'merge', 'origin']);
  for (const root of [laptop, disk]) {
    expect(texts(root, 'trip/boat')).toEqual(['cropped', 'settings for cropped']);
    expect(texts(root, beside)).toEqual(['bright', 'settings for bright']);
    expect(fsckProblems(root)).toEqual([]);
  }
  bk(['-C', laptop, 'resolve', `${beside}.JPG`, `${beside}.CR2.xmp`]);
  expect(texts(laptop, 'trip/boat')).toEqual(['bright', 'settings for bright']);
  expect(fs.readdirSync(path.join(laptop, 'trip')).sort()).toEqual([
    'boat.CR2',
    'boat.CR2.xmp',
    'boat.JPG',
    'boat.xmp',
    'lake.JPG',
    'lake.txt',
  ]);
  expect(bk(['-C', laptop, 'conflicts'])['conflicts']).toEqual([]);
});

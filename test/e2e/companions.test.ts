import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { bk, repository, run } from '../support/bk.ts';
import { has, read, write } from '../support/family.ts';
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

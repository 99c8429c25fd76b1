import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { expect, test } from 'vitest';
import { makePicture, PICTURES, tag } from '../../fixtures/media/pictures.ts';
import { MOVIES, makeRecordings } from '../../fixtures/media/recordings.ts';
import { saidInFile, saidInSidecar } from '../../packages/worktree/media/said.ts';
import { exiftoolPeople } from '../support/exiftool-people.ts';
import { filesBelow } from '../support/media-samples.ts';
import { needs, needsPrograms } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

const folder = temporaryFolder('bk-people-');

/** What programs write, each kind with a name of its own; a pet is no person, a group of people neither. */
const PEOPLE: readonly (readonly [program: string, tags: readonly string[], names: readonly string[]])[] = [
  ['IPTC', ['-XMP-iptcExt:PersonInImage=Anna', '-XMP-iptcExt:PersonInImage=Åsa & Bo'], ['Anna', 'Åsa & Bo']],
  ['IPTC with details', ['-XMP-iptcExt:PersonInImageWDetails={PersonName=Flo}'], ['Flo']],
  [
    'Picasa, digiKam and Lightroom: faces',
    ['-XMP-mwg-rs:RegionInfo={RegionList=[{Name=Ben,Type=Face},{Name=Rex,Type=Pet},{Name=Gil}]}'],
    ['Ben', 'Gil'],
  ],
  ['Windows: faces', ['-XMP-MP:RegionInfoMP={Regions=[{PersonDisplayName=Cem}]}'], ['Cem']],
  ['digiKam', ['-XMP-digiKam:TagsList=People/Dora', '-XMP-digiKam:TagsList=Places/Rome'], ['Dora']],
  [
    'Lightroom',
    ['People', 'People|Family', 'People|Family|Eve', 'Places|Oslo'].map(
      (at) => `-XMP-lr:HierarchicalSubject=${at}`,
    ),
    ['Eve'],
  ],
];
const NAMES = PEOPLE.flatMap(([, , names]) => names).sort();

test.for(PEOPLE)('%s', ([, tags, names], context) => {
  needsPrograms(context, 'exiftool');
  const sidecar = path.join(temporaryFolder('bk-people-'), 'photo.xmp');
  tag(sidecar, tags);
  expect(peopleIn(sidecar, saidInSidecar)).toEqual([...names].sort());
  expect(exiftoolPeople([sidecar]).get(sidecar)).toEqual([...names].sort());
});

test('in pictures and films of all formats, as in sidecars', (context) => {
  needsPrograms(context, 'convert', 'heif-enc', 'exiftool', 'ffmpeg');
  const movies = MOVIES.filter(({ name }) => /^(?:h264-aac\.mp4|hevc\.mov)$/.test(name));
  const files = PICTURES.map((format) => makePicture(folder, format));
  makeRecordings(folder, movies);
  files.push(...movies.map(({ name }) => path.join(folder, name)));
  tag(
    folder,
    PEOPLE.flatMap(([, tags]) => tags),
  );
  const theirs = exiftoolPeople(files);
  for (const file of files) {
    expect([file, peopleIn(file, saidInFile)]).toEqual([file, NAMES]);
    expect([file, theirs.get(file)]).toEqual([file, NAMES]);
  }
});

test('in samples of real programs', (context) => {
  const samples = process.env['BK_MEDIA_SAMPLES'] ?? '';
  needs(context, 'samples in BK_MEDIA_SAMPLES', samples !== '' && fs.existsSync(samples));
  needsPrograms(context, 'exiftool');
  const files = filesBelow(samples, /\.(?:xmp|jpe?g)$/i).filter((file) => !/poc/.test(file));
  const theirs = exiftoolPeople(files);
  let named = 0;
  for (const file of files) {
    const ours = peopleIn(file, /\.xmp$/i.test(file) ? saidInSidecar : saidInFile);
    expect([file, ours]).toEqual([file, theirs.get(file) ?? []]);
    if (ours.length > 0) named++;
  }
  context.annotate(`${files.length} samples, people in ${named}`);
  expect(named).toBeGreaterThan(0);
});

function peopleIn(file: string, read: typeof saidInFile): readonly string[] {
  const fd = fs.openSync(file, 'r');
  try {
    return [...(read(fd, fs.fstatSync(fd).size)?.people ?? [])].sort();
  } finally {
    fs.closeSync(fd);
  }
}

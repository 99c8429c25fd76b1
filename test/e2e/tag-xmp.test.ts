import fs from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { tag as exiftool, makePicture, PICTURES } from '../../fixtures/media/pictures.ts';
import { type Answer, bk, run } from '../support/bk.ts';
import { exiftoolTags } from '../support/exiftool.ts';
import { commit, has, read } from '../support/family.ts';
import { needsPrograms } from '../support/programs.ts';
import { temporaryFolder } from '../support/temporary.ts';

const JPEG = PICTURES.find(({ name }) => /\.jpe?g$/.test(name))!;
const ODD = 'a & b <c> "d" \u{1f30a}';

let root: string;
let picture: string;
beforeEach((context) => {
  needsPrograms(context, 'exiftool', 'convert');
  root = path.join(temporaryFolder('bk-xmp-'), 'pictures');
  fs.mkdirSync(root);
  picture = path.basename(makePicture(root, JPEG));
  bk(['init', root]);
  commit(root);
});

function tag(...args: string[]): Answer {
  return bk(['-C', root, 'tag', ...args]);
}

function attrs(): unknown {
  return (tag(picture)['files'] as { attrs: unknown }[])[0]?.attrs;
}

/** By another program than bk. */
function sidecarTags(name = `${picture}.xmp`): Readonly<Record<string, unknown>> {
  const file = path.join(root, name);
  return exiftoolTags([file]).get(file) ?? {};
}

describe('XMP sidecars', () => {
  test('are read by exiftool as they were meant', () => {
    const edits = ['--add', 'sea', '--add', ODD, '--add', 'places/Italy', '--set', 'rating=4'];
    tag(picture, ...edits, '--set', `title=${ODD}`, '--set', 'people=Anna,Ben Ötzi', '--set', 'private=x');
    const done = tag(picture, '--export-xmp');
    expect(done['exported']).toEqual([{ path: `${picture}.xmp`, of: picture }]);
    const seen = sidecarTags();
    expect(seen).toMatchObject({
      'XMP-dc:Subject': [ODD, 'places/Italy', 'sea'],
      'XMP-dc:Title': ODD,
      'XMP:Rating': 4,
      'XMP:PersonInImage': ['Anna', 'Ben Ötzi'],
      'XMP:HierarchicalSubject': 'places|Italy',
    });
    expect(Object.keys(seen).filter((key) => /Warning|Error/.test(key))).toEqual([]);
    expect(read(root, `${picture}.xmp`)).not.toContain('private');
    // A new file like any other; the same again writes nothing.
    expect(bk(['-C', root, 'status']).changes.map(({ type, path: at }) => `${type} ${at}`)).toEqual([
      `added ${picture}.xmp`,
    ]);
    expect(tag(picture, '--export-xmp')['exported']).toEqual([]);
    commit(root);
    tag(picture, '--set', 'rating=');
    expect(tag('.', '-r', '--export-xmp', '--dry-run')['exported']).toHaveLength(1);
    expect(tag('.', '-r', '--export-xmp')['exported']).toHaveLength(1);
    expect(sidecarTags()['XMP:Rating']).toBe(undefined);
    // What was there before is in the net.
    expect(run(['-C', root, 'restore', `${picture}.xmp`]).code).toBe(0);
    expect(sidecarTags()['XMP:Rating']).toBe(4);
  });

  test('of other programs are left alone, and read', () => {
    fs.writeFileSync(path.join(root, 'none.txt'), 'no picture');
    commit(root);
    tag(picture, '--add', 'mine');
    tag(picture, '--export-xmp');
    exiftool(path.join(root, `${picture}.xmp`), [
      '-XMP-dc:Subject+=theirs',
      '-XMP-xmp:Rating=3',
      '-XMP-dc:Title=T',
    ]);
    const theirs = read(root, `${picture}.xmp`);
    tag(picture, '--add', 'more');
    const refused = run(['-C', root, '--json', 'tag', picture, '--export-xmp']);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain('of another program');
    expect(read(root, `${picture}.xmp`)).toBe(theirs);
    tag('.', '-r', '--import-xmp');
    expect(attrs()).toEqual({ rating: 3, tags: ['mine', 'more', 'theirs'], title: 'T' });
    expect(tag('.', '-r', '--import-xmp').commit).toBe(null);
  });

  test('and what stands in pictures is imported: tags join, sidecars count more', () => {
    exiftool(path.join(root, picture), [
      ...[
        '-XMP-dc:Subject=in the picture',
        '-IPTC:Keywords=in the picture',
        '-XMP-dc:Title=picture',
        '-XMP-xmp:Rating=2',
        '-XMP-mwg-rs:RegionInfo={RegionList=[{Name=Anna,Type=Face}]}',
      ],
    ]);
    const lightroom = path.join(root, `${path.parse(picture).name}.xmp`);
    exiftool(lightroom, [
      '-XMP-dc:Subject=in the sidecar',
      '-XMP-dc:Title=sidecar',
      '-XMP-iptcExt:PersonInImage=Cem',
    ]);
    commit(root);
    tag(picture, '--add', 'mine');
    tag(picture, '--import-xmp');
    expect(attrs()).toEqual({
      people: ['Anna', 'Cem'],
      rating: 2,
      tags: ['in the picture', 'in the sidecar', 'mine'],
      title: 'sidecar',
    });
    expect(has(root, `${picture}.xmp`)).toBe(false);
  });

  test('are of files, and asked for alone', () => {
    expect(run(['-C', root, 'tag', '.', '--export-xmp']).code).toBe(2);
    expect(run(['-C', root, 'tag', picture, '--export-xmp', '--import-xmp']).code).toBe(2);
    expect(run(['-C', root, 'tag', picture, '--export-xmp', '--add', 'x']).code).toBe(2);
    expect(run(['-C', root, 'tag', picture, '--export-xmp']).stdout).toBe('nothing to export\n');
  });
});

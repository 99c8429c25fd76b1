import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { png } from '../../fixtures/media/png.ts';
import { bk, repository, run } from '../support/bk.ts';
import { records } from '../support/history.ts';
import { needsStrace } from '../support/programs.ts';
import { fastFolder } from '../support/temporary.ts';

const OLD = new Date('2020-01-02T03:04:05Z');

/** A folder with these files, old enough that their times are proof, committed. */
function committed(files: Readonly<Record<string, Buffer>>): string {
  const root = fastFolder('bk-media-');
  for (const [name, content] of Object.entries(files)) write(root, name, content);
  repository(root);
  return root;
}

function write(root: string, name: string, content: Buffer): void {
  const file = path.join(root, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
  fs.utimesSync(file, OLD, OLD);
}

function recordOf(root: string, name: string) {
  const found = records(root).get(name);
  if (found === undefined) throw new Error(`no record of ${name}`);
  return found.record;
}

describe('what media say of themselves', () => {
  test('is recorded with the hash of their pixels, of broken ones that they are broken', () => {
    const root = fastFolder('bk-media-');
    write(root, 'a.png', png(1, 'first'));
    write(root, 'broken.png', png(1).subarray(0, 40));
    write(root, 'text.png', Buffer.from('no picture\n'));
    bk(['init', root], { expect: [0] });
    const made = bk(['-C', root, 'commit', '-m', 'x'], { expect: [0] });
    expect(made['unparsed']).toEqual([{ path: 'broken.png', reason: 'truncated' }]);
    expect(recordOf(root, 'a.png')).toMatchObject({
      media: { kind: 'image', mime: 'image/png', width: 16, height: 16, title: 'first' },
      hashes: { payload: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect(recordOf(root, 'broken.png')).toMatchObject({ media: { error: 'truncated' } });
    expect(recordOf(root, 'text.png')).not.toHaveProperty('media');
    expect(bk(['-C', root, 'commit', '-m', 'again'], { expect: [0] }).commit).toBeNull();
  });

  test('tells in a conflict that only the tags differ', () => {
    const here = committed({ 'tagged.png': png(1, 'first'), 'painted.png': png(2, 'first') });
    const there = path.join(fastFolder('bk-media-'), 'there');
    bk(['clone', here, there], { expect: [0] });
    const edit = (root: string, title: string, seed: number): void => {
      fs.writeFileSync(path.join(root, 'tagged.png'), png(1, title));
      fs.writeFileSync(path.join(root, 'painted.png'), png(seed, title));
      bk(['-C', root, 'commit', '-m', title], { expect: [0] });
    };
    edit(here, 'here', 3);
    edit(there, 'there', 4);
    const { conflicts } = bk(['-C', there, 'merge'], { expect: [1] });
    const told = (conflicts as { path: string; same?: string }[]).map(({ path: at, same }) => [at, same]);
    expect(told).toEqual([
      ['painted.png', undefined],
      ['tagged.png', 'payload'],
    ]);
    const listed = bk(['-C', there, 'conflicts'], { expect: [1] });
    expect(listed.conflicts).toMatchObject([
      { path: 'painted.png' },
      { path: 'tagged.png', same: 'payload' },
    ]);
    expect(run(['-C', there, 'conflicts']).stdout).toContain(
      'tagged.png  tagged on both sides, the picture or sound is the same; the newer tags stay',
    );
  });

  test('is read anew when that is asked for, and only then', () => {
    const root = committed({ 'a.png': png(1, 'first'), 'b.png': png(2), letter: Buffer.from('no picture') });
    const done = bk(['-C', root, 'config', 'media.refresh', 'now'], { expect: [0] });
    expect(done).toEqual({ read: 2, changed: [], commit: null, unreadable: [] });
    const { stdout } = run(['-C', root, 'config', 'media.refresh', 'now']);
    expect(stdout).toBe('2 media files read, 0 records changed\n');
    const asked = run(['-C', root, 'config', 'media.refresh']);
    expect(asked).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('`bk config media.refresh now`'),
    });
  });

  test('goes with the content: other tags, other pixels, a move, a copy, a further name', () => {
    const root = committed({ 'a.png': png(1, 'first'), 'b.png': png(2) });
    const before = recordOf(root, 'a.png');
    write(root, 'a.png', png(1, 'second'));
    fs.mkdirSync(path.join(root, 'moved'));
    fs.renameSync(path.join(root, 'b.png'), path.join(root, 'moved/b.png'));
    fs.linkSync(path.join(root, 'moved/b.png'), path.join(root, 'moved/c.png'));
    write(root, 'copy.png', png(2));
    bk(['-C', root, 'commit', '-m', 'y'], { expect: [0] });
    const after = recordOf(root, 'a.png');
    expect(after).toMatchObject({ id: before.id, hashes: before['hashes'], media: { title: 'second' } });
    const [b, c, copy] = ['moved/b.png', 'moved/c.png', 'copy.png'].map((name) => recordOf(root, name));
    expect(b?.['media']).toMatchObject({ kind: 'image' });
    for (const other of [c, copy])
      expect(other).toMatchObject({ media: b?.['media'], hashes: b?.['hashes'] });
    write(root, 'a.png', png(3, 'second'));
    bk(['-C', root, 'commit', '-m', 'z'], { expect: [0] });
    const repainted = recordOf(root, 'a.png');
    expect(repainted.id).toBe(before.id);
    expect(repainted['hashes']).not.toEqual(before['hashes']);
    write(root, 'a.png', Buffer.from('a text now\n'));
    bk(['-C', root, 'commit', '-m', 'text'], { expect: [0] });
    expect(Object.keys(recordOf(root, 'a.png'))).not.toEqual(expect.arrayContaining(['media', 'hashes']));
  });

  test('tells the object in a file that was moved to another disk and got other tags', () => {
    const root = committed({ 'in/a.png': png(1, 'first'), 'in/b.png': png(2, 'other') });
    const { id } = recordOf(root, 'in/a.png');
    fs.rmSync(path.join(root, 'in/a.png'));
    write(root, 'sorted/2020/party.png', png(1, 'party'));
    const { changes } = bk(['-C', root, 'commit', '-m', 'y'], { expect: [0] });
    expect(changes).toMatchObject([
      { type: 'renamed', from: 'in/a.png', path: 'sorted/2020/party.png', id, fields: ['content'] },
    ]);
    expect(recordOf(root, 'sorted/2020/party.png').id).toBe(id);
  });

  test('is read together with the content, which is read once', (context) => {
    needsStrace(context);
    const root = fastFolder('bk-media-');
    const large = Buffer.concat([png(1).subarray(0, -12), Buffer.alloc(3_000_000, 'trailer ')]);
    const files = { 'small.png': png(5, 'small'), 'large.png': large };
    for (const [name, content] of Object.entries(files)) write(root, name, content);
    bk(['init', root], { expect: [0] });
    const log = path.join(fastFolder('bk-strace-'), 'log');
    const through = ['strace', '-f', '-y', '-qq', '-o', log, '-etrace=read,pread64,readv,preadv'];
    expect(run(['-C', root, 'commit', '-m', 'x'], { through }).code).toBe(0);
    const lines = fs.readFileSync(log, 'utf8').split('\n');
    for (const [name, { length }] of Object.entries(files)) {
      const read = lines.filter((line) => line.includes(`/${name}>`));
      const bytes = read.map((line) => Number(/= (\d+)$/.exec(line)?.[1] ?? 0));
      expect(
        bytes.reduce((sum, one) => sum + one, 0),
        name,
      ).toBe(length);
    }
    expect(recordOf(root, 'large.png')).toHaveProperty('media');
  });
});

describe('other bytes under the time that they had', () => {
  /** Writes at once, and puts the time back, as players do that write into tags. */
  function rewritten(root: string, name: string, content: Buffer): void {
    const fd = fs.openSync(path.join(root, name), 'r+');
    fs.writeSync(fd, content, 0, content.length, 0);
    fs.closeSync(fd);
    fs.utimesSync(path.join(root, name), OLD, OLD);
  }

  test.each([
    ['are no rot if only tags are other ones', png(1, 'titel'), undefined, 'changed'],
    ['are taken for rot if the pixels are', png(2, 'title'), 'rot', 'rot'],
  ])('%s', (_, content, suspect, outcome) => {
    const root = committed({ 'a.png': png(1, 'title') });
    expect(content.length).toBe(png(1, 'title').length);
    rewritten(root, 'a.png', content);
    const [change] = bk(['-C', root, 'status', '--rehash'], { expect: [0] }).changes;
    expect([change?.type, change?.suspect]).toEqual(['modified', suspect]);
    const verified = bk(['-C', root, 'verify'], { expect: [suspect === undefined ? 0 : 1] });
    expect((verified[outcome] as { path: string }[]).map((one) => one.path)).toEqual(['a.png']);
  });
});

import { describe, expect, test } from 'vitest';
import { commitOf, Disk, observe } from './disk.fixture.ts';
import { type Identified, identify } from './identify.ts';

type Files = Readonly<Record<string, string>>;

const AB = { a: 'one', b: 'two!' };

function diskOf(files: Files): Disk {
  const disk = new Disk();
  for (const [path, content] of Object.entries(files)) {
    if (content.startsWith('->')) disk.write(path, content, 'symlink');
    else disk.write(path, content, content === 'DIR' ? 'dir' : 'file');
  }
  return disk;
}

/** `path` → where its object was at the head (by evidence), 'new' or 'returned'. */
function shown(identified: Identified): Record<string, string> {
  const all: Record<string, string> = {};
  for (const { seen, object } of identified.entries) {
    all[seen.path] = object.kind === 'known' ? `${object.tracked.path} (${object.evidence})` : object.kind;
  }
  for (const tracked of identified.deleted) all[`-${tracked.path}`] = 'deleted';
  return all;
}

describe('what is absent by design', () => {
  /** As an index has it: no inode, no times of its own. */
  function withAbsent(
    files: Files,
    absent: readonly string[],
    work: (disk: Disk) => void,
  ): Record<string, string> {
    const disk = diskOf(files);
    const head = commitOf(disk);
    for (const path of absent) disk.rm(path);
    work(disk);
    const { gone, occupied, added } = observe(head, disk, { read: true });
    const unknown = { inode: 0n, birthNs: 0n, absent: true };
    return shown(
      identify({
        gone: gone.filter(({ path }) => !absent.includes(path)),
        occupied: occupied.map(({ tracked, seen }) =>
          absent.includes(tracked.path) ? { tracked: { ...tracked, ...unknown }, seen } : { tracked, seen },
        ),
        added,
        departed: [],
        objectsIn: head.objectsIn,
      }),
    );
  }

  test.each<[string, (disk: Disk) => void, Record<string, string>]>([
    ['stays away', () => {}, {}],
    ['comes back', (d) => d.write('a', 'one'), { a: 'a (same-path)' }],
    ['comes back as something else', (d) => d.write('a', 'x'), { a: 'a (edited)' }],
    ['is copied elsewhere', (d) => d.write('n', 'one'), { n: 'new' }],
    ['has its path taken', (d) => d.mv('b', 'a'), { a: 'a (edited)', '-b': 'deleted' }],
    ['comes back empty', (d) => d.write('a', ''), { a: 'a (edited)' }],
  ])('%s', (_, work, expected) => expect(withAbsent(AB, ['a'], work)).toEqual(expected));

  test('never left, whoever says so: a file of its content elsewhere, even of its inode, is new', () => {
    const disk = diskOf({ ...AB, 'old/a': 'one', 'old/e': '', 'old/f': 'DIR' });
    const head = commitOf(disk);
    for (const path of ['old/a', 'old/e', 'old/f']) disk.mv(path, `new/${path.slice(4)}`);
    const { gone, occupied, added } = observe(head, disk, { read: true });
    const identified = identify({
      gone: gone.map((tracked) => ({ ...tracked, absent: true })),
      occupied,
      added,
      departed: [],
      objectsIn: head.objectsIn,
    });
    expect(shown(identified)).toEqual({ 'new/a': 'new', 'new/e': 'new', 'new/f': 'new' });
  });

  test('of an empty file: it comes back as itself', () => {
    const work = (d: Disk): void => d.write('e', '');
    expect(withAbsent({ e: '', b: 'two!' }, ['e'], work)).toEqual({ e: 'e (same-path)' });
  });
});

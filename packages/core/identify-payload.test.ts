import { describe, expect, test } from 'vitest';
import { commitOf, Disk, fakeHash, observe } from './disk.fixture.ts';
import { type Identified, identify } from './identify.ts';

type Files = Readonly<Record<string, string>>;

function diskOf(files: Files): Disk {
  const disk = new Disk();
  for (const [path, content] of Object.entries(files)) disk.write(path, content, 'file');
  return disk;
}

/** `path` → where its object was at the head (by evidence), or 'new'; `-path` of what is gone. */
function shown(identified: Identified): Record<string, string> {
  const seen = identified.entries.map(({ seen, object }): [string, string] => [
    seen.path,
    object.kind === 'known' ? `${object.tracked.path} (${object.evidence})` : object.kind,
  ]);
  return Object.fromEntries([...seen, ...identified.deleted.map(({ path }) => [`-${path}`, 'deleted'])]);
}

describe('pixels and sound', () => {
  /** Contents are `PAYLOAD|TAGS`; every file is a new inode, as after a move to another file system. */
  function retagged(before: Files, after: Files): Record<string, string> {
    const head = commitOf(diskOf(before));
    const observed = observe(head, diskOf(after), { read: true });
    const payload = (files: Files, path: string) => fakeHash(`payload ${files[path]?.split('|')[0]}`);
    const strange = { inode: 0n };
    return shown(
      identify({
        gone: observed.gone.map((tracked) => ({ ...tracked, ...strange })),
        occupied: observed.occupied,
        added: observed.added.map((seen) => ({ ...seen, ...strange, payload: payload(after, seen.path) })),
        departed: [],
        objectsIn: () => 9,
        payloadOf: (tracked) => payload(before, tracked.path),
      }),
    );
  }

  test.each<[string, Files, Files, Record<string, string>]>([
    ['moved with other tags', { 'a/1': 'P|x' }, { 'b/2': 'P|y' }, { 'b/2': 'a/1 (same-payload)' }],
    [
      'equal contents are better evidence',
      { a: 'P|x', b: 'P|y' },
      { c: 'P|y', d: 'P|z' },
      {
        c: 'b (same-content)',
        d: 'a (same-payload)',
      },
    ],
    [
      'the nearest path, where several are alike',
      { 'a/1': 'P|x', 'b/1': 'P|y' },
      { 'b/2': 'P|z' },
      {
        'b/2': 'b/1 (same-payload)',
        '-a/1': 'deleted',
      },
    ],
    ['other pixels', { a: 'P|x' }, { b: 'Q|x' }, { b: 'new', '-a': 'deleted' }],
    ['a copy with other tags is a new object', { a: 'P|x' }, { a: 'P|x', b: 'P|y' }, { b: 'new' }],
  ])('%s', (_, before, after, expected) => {
    expect(retagged(before, after)).toEqual(expected);
  });
});

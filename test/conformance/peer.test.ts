import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { BkError, type GitId } from '@bk/core';
import { checkedFacts, checkedRefs, LIMITS, type Peer, PROTOCOL, type RefUpdate } from '@bk/remote';
import { type HistoryReader, isAncestor, receivePack } from '@bk/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { needsGitHost } from '../support/git-http.ts';
import { needsSshd } from '../support/sshd.ts';
import { MAIN, NOWHERE, openBothSides, packFrom, refused, SUBJECTS, unreachable } from './both-sides.ts';
import { factsOf } from './forge.ts';
import { collect, flow } from './streams.ts';
import { gitHostSubject, type Place, type Subject, startGitHost } from './subject.ts';

await startGitHost();

describe.each([...SUBJECTS, ['git host', gitHostSubject] as const])('%s', (kind, make) => {
  let subject: Subject;
  let here: Place;
  let peer: Peer;
  let reader: HistoryReader;

  beforeEach((context) => {
    if (kind === 'git host') needsGitHost(context);
    if (kind === 'ssh') needsSshd(context);
    ({ subject, here, peer, reader } = openBothSides(make));
  });
  afterEach(async () => {
    reader?.close();
    await subject?.close();
  });

  async function fetch(
    wants: readonly GitId[],
    haves: readonly GitId[],
    refs: string[] = ['refs/remotes/there/main'],
  ) {
    const tips = wants.map((id, i) => ({ name: refs[i] ?? refs[0]!, id }));
    return receivePack(peer.fetchPack(wants, haves), tips, { layout: here.layout, reader });
  }

  function packed(wants: readonly GitId[], haves: readonly GitId[]): AsyncIterable<Uint8Array> {
    return packFrom(reader, wants, haves);
  }

  /**
   * Of what a git host cannot do: it checks nothing of what bk is about, has no files, no names for others, and says
   * nothing of itself. Who receives from one checks all of it (hostile-*.test.ts).
   */
  function testRepository(name: string, work: () => Promise<void>): void {
    if (kind !== 'git host') test(name, work);
  }

  /** What became of the refs. A served repository brings the files along, and says which contents were not sent. */
  async function pushed(pack: AsyncIterable<Uint8Array>, updates: readonly RefUpdate[]) {
    const results = await peer.sendPack(pack, updates);
    return results.map(({ left: _files, ...result }) => result);
  }

  /** The peer anew, as the other side is now. */
  function fresh(options: Parameters<Subject['reopen']>[0] = {}): Peer {
    peer = subject.reopen({ moveMain: () => true, ...options });
    return peer;
  }

  describe('facts and refs', () => {
    test('say whether there is more than history, and no refs before anything was sent', async () => {
      const { historyOnly, head } = checkedFacts(JSON.parse(JSON.stringify(await peer.facts())));
      expect({ historyOnly, head }).toEqual({
        historyOnly: kind === 'git host' ? true : undefined,
        head: undefined,
      });
      expect(await peer.refs()).toEqual([]);
    });

    testRepository('say who it is and where its refs are', async () => {
      expect(await peer.facts()).toMatchObject({
        protocol: PROTOCOL,
        name: 'there',
        readOnly: false,
        subset: { include: [], exclude: [] },
      });
      expect((await peer.facts()).head).toBeUndefined();
      expect(await peer.refs()).toEqual([]);
      subject.there.write('a', 'a');
      const head = await subject.there.commit();
      const facts = await peer.facts();
      expect(facts.head).toBe(head);
      expect(facts.volume).not.toBe('');
      const refs = await peer.refs();
      expect(refs).toContainEqual({ name: MAIN, id: head });
      expect(refs.map(({ name }) => name)).toEqual([`refs/bk/repositories/${facts.id}`, MAIN]);
      expect(checkedFacts(JSON.parse(JSON.stringify(facts)))).toEqual(facts);
      expect(checkedRefs(JSON.parse(JSON.stringify(refs)))).toEqual(refs);
    });
  });

  describe('history', () => {
    testRepository('what is there already cannot be named as what it is not', async () => {
      subject.there.write('a', 'a');
      const head = await subject.there.commit();
      const own = (await peer.refs())[0]!;
      const stranger = 'refs/bk/repositories/01234567-89ab-7def-8123-456789abcdef';
      for (const update of [
        { name: stranger, next: head },
        { name: 'refs/remotes/here/main', next: own.id },
      ])
        await expect(peer.sendPack(undefined, [update])).rejects.toMatchObject({ code: 'refused' });
      const another = await peer.sendPack(undefined, [{ name: stranger, next: own.id }]);
      expect(another).toEqual([{ name: stranger, moved: false, reason: 'not-accepted' }]);
      expect((await peer.refs()).map(({ name }) => name)).toEqual([own.name, MAIN]);
    });

    test('is fetched whole, then only what is new', async () => {
      subject.there.write('a/b', '1');
      const first = await subject.there.commit();
      expect((await fetch([first], [])).objects).toBe(4);
      subject.there.write('a/c', '2');
      const second = await subject.there.commit();
      expect((await fetch([second], [first, NOWHERE])).objects).toBe(4);
      expect((await fetch([second], [second])).objects).toBe(0);
      here.git('update-ref', 'refs/remotes/there/main', second);
      expect(here.git('fsck', '--strict', '--no-dangling')).toBe('');
      expect(here.git('rev-list', '--objects', second)).toBe(
        subject.there.git('rev-list', '--objects', second),
      );
    });

    test('of criss-cross graphs goes both ways', async () => {
      subject.there.write('a', '1');
      const base = await subject.there.commit();
      const [x, y] = [crossed(subject.there, [base], 'x'), crossed(subject.there, [base], 'y')];
      const [xy, yx] = [crossed(subject.there, [x, y], 'xy'), crossed(subject.there, [y, x], 'yx')];
      await fetch([x], []);
      await fetch([xy, yx], [x], ['refs/remotes/a/main', 'refs/remotes/b/main']);
      here.git('update-ref', 'refs/remotes/a/main', xy);
      here.git('update-ref', 'refs/remotes/b/main', yx);
      expect(here.git('fsck', '--strict', '--no-dangling')).toBe('');
      reader.refresh();
      expect(isAncestor(reader, y, xy)).toBe(true);
      const both = crossed(here, [xy, yx], 'both');
      const results = await fresh().sendPack(packed([both], [base]), [
        { name: MAIN, expected: base, next: both },
      ]);
      expect(results).toEqual([{ name: MAIN, moved: true }]);
      expect(subject.there.git('rev-parse', MAIN).trim()).toBe(both);
      expect(subject.there.git('fsck', '--strict', '--no-dangling')).toBe('');
    });

    test('what is not there is not found', async () => {
      await expect(collect(peer.fetchPack([NOWHERE], []))).rejects.toMatchObject({ code: 'not-found' });
    });

    testRepository('only commits are given', async () => {
      subject.there.write('a', 'a');
      const head = await subject.there.commit();
      const tree = subject.there.git('rev-parse', `${head}^{tree}`).trim() as GitId;
      await expect(collect(peer.fetchPack([tree], []))).rejects.toMatchObject({ code: 'not-found' });
    });

    test('a first push makes the head; a second one moves it', async () => {
      here.write('a', 'a');
      const first = await here.commit();
      fresh();
      expect(await pushed(packed([first], []), [{ name: MAIN, next: first }])).toEqual([
        { name: MAIN, moved: true },
      ]);
      here.write('b', 'b');
      const second = await here.commit();
      const update = { name: MAIN, expected: first, next: second };
      expect(await pushed(packed([second], [first]), [update])).toEqual([{ name: MAIN, moved: true }]);
      expect((await peer.facts()).head).toBe(second);
      expect(await peer.sendPack(undefined, [{ name: MAIN, expected: second, next: second }])).toEqual([
        { name: MAIN, moved: true },
      ]);
      expect(subject.there.staged()).toEqual([]);
    });

    testRepository(
      'main stays where files cannot follow, and what was sent is there for a merge',
      async () => {
        here.write('a', 'a');
        const head = await here.commit();
        const remote = 'refs/remotes/here/main';
        const updates = [
          { name: MAIN, next: head },
          { name: remote, next: head },
        ];
        // Where files follow, they do not over one that nobody has committed.
        if (kind === 'ssh') subject.there.write('a', 'other');
        expect(await peer.sendPack(packed([head], []), updates)).toMatchObject([
          { name: MAIN, moved: false, reason: 'needs-merge' },
          { name: remote, moved: true },
        ]);
        expect(subject.there.git('rev-parse', remote).trim()).toBe(head);
        expect(subject.there.git('fsck', '--strict', '--no-dangling')).toBe('');
      },
    );

    testRepository('only fast-forward, only from where the sender believed it to be', async () => {
      subject.there.write('a', 'a');
      const theirs = await subject.there.commit();
      here.write('b', 'b');
      const ours = await here.commit();
      fresh();
      const remote = 'refs/remotes/here/main';
      expect(
        await peer.sendPack(packed([ours], []), [
          { name: MAIN, expected: theirs, next: ours },
          { name: remote, next: ours },
        ]),
      ).toEqual([
        { name: MAIN, moved: false, reason: 'not-fast-forward' },
        { name: remote, moved: true },
      ]);
      expect(await peer.sendPack(undefined, [{ name: MAIN, next: ours }])).toEqual([
        { name: MAIN, moved: false, reason: 'moved-meanwhile' },
      ]);
      expect(await peer.sendPack(undefined, [{ name: remote, expected: theirs, next: ours }])).toEqual([
        { name: remote, moved: false, reason: 'moved-meanwhile' },
      ]);
      expect((await peer.facts()).head).toBe(theirs);
    });

    test('of two that race one wins', async () => {
      here.write('a', 'a');
      const base = await here.commit();
      await fresh().sendPack(packed([base], []), [{ name: MAIN, next: base }]);
      let [wins, expected] = [0, base];
      const rounds = kind === 'git host' || kind === 'ssh' ? 3 : 10;
      for (let round = 0; round < rounds; round++) {
        const rivals = [crossed(here, [expected], `x${round}`), crossed(here, [expected], `y${round}`)];
        const sent = rivals.map((next) => {
          const one = subject.reopen({ moveMain: () => true });
          return one
            .sendPack(packed([next], [expected]), [{ name: MAIN, expected, next }])
            .catch((error: unknown) => {
              expect(error).toMatchObject({ code: 'locked' });
              return [];
            });
        });
        const moved = (await Promise.all(sent)).map((results) => results[0]?.moved === true);
        expect(moved.filter(Boolean)).toHaveLength(1);
        wins++;
        expected = rivals[moved.indexOf(true)]!;
        expect((await peer.facts()).head).toBe(expected);
      }
      expect(wins).toBe(rounds);
      expect(subject.there.git('fsck', '--strict', '--no-dangling')).toBe('');
    });

    test('other refs are not accepted, and a pack for none is refused', async () => {
      here.write('a', 'a');
      const head = await here.commit();
      const own = `refs/bk/repositories/${(await peer.facts()).id}`;
      for (const name of [
        'refs/heads/other',
        'refs/tags/x',
        'refs/remotes/strange/main',
        own,
        'refs/bk/repositories/x',
      ]) {
        await expect(peer.sendPack(packed([head], []), [{ name, next: head }])).rejects.toThrow(refused);
        expect(await peer.sendPack(undefined, [{ name, next: head }])).toEqual([
          { name, moved: false, reason: 'not-accepted' },
        ]);
      }
      for (const name of [
        'HEAD',
        'config',
        '../config',
        'refs/../config',
        'refs/heads/../../hooks/x',
        'refs/heads/a.lock',
        '-x',
        'refs/heads/a b',
        '/etc/x',
      ]) {
        await expect(peer.sendPack(undefined, [{ name, next: head }])).rejects.toThrow(refused);
      }
      await expect(peer.sendPack(undefined, [{ name: MAIN, next: 'main' as GitId }])).rejects.toThrow(
        refused,
      );
      await expect(peer.sendPack(undefined, [{ name: MAIN, next: NOWHERE }])).rejects.toMatchObject({
        code: 'not-found',
      });
      expect(subject.there.packs()).toEqual([]);
      expect(subject.there.staged()).toEqual([]);
    });

    test('a presence of another repository is taken, fast-forward', async () => {
      here.write('a', 'a');
      const head = await here.commit();
      const id = crypto.randomUUID();
      const name = `refs/bk/repositories/${id}`;
      const [one, two] = [presence(here, id, head, []), presence(here, id, head, [])];
      const later = presence(here, id, head, [one]);
      expect(await peer.sendPack(packed([one], []), [{ name, next: one }])).toEqual([{ name, moved: true }]);
      expect(await peer.sendPack(packed([later], [one]), [{ name, expected: one, next: later }])).toEqual([
        { name, moved: true },
      ]);
      const back = await peer.sendPack(undefined, [{ name, expected: later, next: one }]);
      expect(back).toEqual([{ name, moved: false, reason: 'not-fast-forward' }]);
      if (two !== one) expect(subject.there.git('rev-parse', name).trim()).toBe(later);
      expect(await peer.refs()).toEqual([{ name, id: later }]);
      expect(subject.there.git('fsck', '--strict', '--no-dangling')).toBe('');
    });

    test('a pack that breaks off leaves nothing', async () => {
      here.write('a', crypto.randomBytes(100));
      const head = await here.commit();
      const whole = await collect(packed([head], []));
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield whole.subarray(0, 50);
        throw new BkError('unreachable', 'the line is dead');
      }
      await expect(fresh().sendPack(broken(), [{ name: MAIN, next: head }])).rejects.toThrow(unreachable);
      for (const cut of [0, 5, 11, 12, 40, whole.length - 1])
        await expect(
          peer.sendPack(flow([whole.subarray(0, cut)]), [{ name: MAIN, next: head }]),
        ).rejects.toThrow(refused);
      expect(subject.there.packs()).toEqual([]);
      expect(subject.there.staged()).toEqual([]);
      expect((await peer.facts()).head).toBeUndefined();
      expect(await pushed(flow([whole]), [{ name: MAIN, next: head }])).toEqual([
        { name: MAIN, moved: true },
      ]);
    });
  });
});

describe('what a peer says of itself', () => {
  const facts = {
    protocol: PROTOCOL,
    id: '0190a1b2-c3d4-7e5f-8a6b-000000000001',
    name: 'x',
    volume: 'v',
    subset: { include: [], exclude: [] },
    readOnly: true,
  };

  test.each([
    ['nothing', undefined],
    ['a list', []],
    ['no id', { ...facts, id: 'x' }],
    ['a path as id', { ...facts, id: '../../x' }],
    ['a name of two lines', { ...facts, name: 'a\nb' }],
    ['an escape in a name', { ...facts, name: 'a\u001b[2J' }],
    ['a name without end', { ...facts, name: 'x'.repeat(2000) }],
    ['no volume', { ...facts, volume: '' }],
    ['a head that is none', { ...facts, head: '-x' }],
    ['no subset', { ...facts, subset: undefined }],
    [
      'a subset without end',
      { ...facts, subset: { include: new Array(LIMITS.patterns + 1).fill('x'), exclude: [] } },
    ],
    ['a pattern of two lines', { ...facts, subset: { include: ['a\nb'], exclude: [] } }],
  ])('%s is not believed', (_what, said) => {
    expect(() => checkedFacts(said)).toThrow(BkError);
  });

  test('another version is refused, with what to do', () => {
    expect(() => checkedFacts({ ...facts, protocol: 99 })).toThrow(refused);
    expect(checkedFacts({ ...facts, readOnly: undefined, more: 1 })).toEqual(facts);
  });

  test('refs', () => {
    const id = NOWHERE;
    for (const said of [
      {},
      [1],
      [{ name: 'refs/heads/../x', id }],
      [{ name: MAIN, id: 'x' }],
      [
        { name: MAIN, id },
        { name: MAIN, id },
      ],
      new Array(LIMITS.refs + 1).fill({ name: MAIN, id }),
    ])
      expect(() => checkedRefs(said)).toThrow(expect.objectContaining({ code: 'damaged' }));
  });
});

/** A commit with a changed file onto these parents; no ref moves. */
function crossed(place: Place, parents: readonly GitId[], message: string): GitId {
  const tree = place.git('rev-parse', `${parents[0]}^{tree}`).trim();
  const env = ['-c', 'user.name=x', '-c', 'user.email=x@y'];
  return place
    .git(...env, 'commit-tree', '-m', message, ...parents.flatMap((id) => ['-p', id]), tree)
    .trim() as GitId;
}

/** A commit that says that all of `head` is present in the repository of this id. */
function presence(place: Place, id: string, head: GitId, parents: readonly GitId[]): GitId {
  const file = path.join(place.root, '..', 'repository.json');
  fs.writeFileSync(file, factsOf(id));
  const blob = place.git('hash-object', '-w', file).trim();
  const index = path.join(place.root, '..', `index-${crypto.randomUUID()}`);
  const tree = place.git('rev-parse', `${head}^{tree}`).trim();
  const made = makeTree(
    place,
    [`100644 blob ${blob}\trepository.json`, `040000 tree ${tree}\tpresent`],
    index,
  );
  const env = ['-c', 'user.name=x', '-c', 'user.email=x@y'];
  return place
    .git(...env, 'commit-tree', '-m', 'x', ...parents.flatMap((parent) => ['-p', parent]), made)
    .trim() as GitId;
}

function makeTree(place: Place, lines: readonly string[], scratch: string): string {
  const { blob, tree } = { blob: lines[0]!.split(/[ \t]/)[2]!, tree: lines[1]!.split(/[ \t]/)[2]! };
  const body = Buffer.concat([
    Buffer.from('40000 present\0'),
    Buffer.from(tree, 'hex'),
    Buffer.from('100644 repository.json\0'),
    Buffer.from(blob, 'hex'),
  ]);
  fs.writeFileSync(scratch, body);
  return place.git('hash-object', '-t', 'tree', '-w', scratch).trim();
}

import fs from 'node:fs';
import path from 'node:path';
import { BkError, KIND, ROOT } from '@bk/core';
import { hostPeer, type Peer, type SentContent } from '@bk/remote';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type CloneSource, clone, cloneSourceOf } from '../clone.ts';
import { repositoryHost } from '../peers/host.ts';
import { openRepository, type Repository } from '../repository.ts';
import { status } from '../status.ts';
import { TestTree } from '../tree.fixture.ts';

// Every clone syncs its file system, which others may be writing to.
beforeAll(() => {
  if (fs.existsSync('/dev/shm')) vi.stubEnv('TMPDIR', '/dev/shm');
});
afterAll(() => void vi.unstubAllEnvs());

const opened: { readonly tree: TestTree; readonly repo: Repository }[] = [];
afterEach(() => {
  for (const { tree, repo } of opened.splice(0)) {
    repo.close();
    tree[Symbol.dispose]();
  }
});

/** Odd things, and more files than one thread is to write. */
async function given(files = 0): Promise<{ tree: TestTree; repo: Repository; afar: CloneSource }> {
  const tree = new TestTree();
  for (let i = 0; i < files; i++) tree.write(`many/${i % 37}/${i % 5}/${i}`, `file ${i}\n`.repeat(i % 50));
  tree.write('a/one', 'one\n');
  fs.mkdirSync(tree.at('a/empty'), { mode: 0o700 });
  fs.linkSync(tree.at('a/one'), tree.at('a/other name'));
  tree.write('b/twin', 'one\n');
  tree.write('b/closed/secret', 'secret');
  fs.chmodSync(tree.at('b/closed/secret'), 0o400);
  fs.chmodSync(tree.at('b/closed'), 0o500);
  tree.write('b/\xff\xfe', 'no text');
  tree.write('nothing', '');
  fs.symlinkSync('../a/one', tree.at('b/link'));
  tree.write('large', 'large '.repeat(700_000));
  tree.write('b/large too', 'large '.repeat(700_000));
  tree.write('medium', 'm'.repeat(1_048_577));
  fs.utimesSync(tree.at('large'), 1, '-1000000000.123456789');
  await tree.commit();
  const repo = openRepository(tree.root);
  opened.push({ tree, repo });
  const host = repositoryHost(repo, { nowMs: () => 0, readOnly: true });
  const peer = { ...wrapped(hostPeer(host)) };
  return { tree, repo, afar: { address: 'ssh://there/x', peer, facts: await peer.facts() } };
}

/** The same calls on a plain object, so that a test can put others in their places. */
function wrapped(peer: Peer): Peer {
  return {
    facts: () => peer.facts(),
    refs: () => peer.refs(),
    fetchPack: (...asked) => peer.fetchPack(...asked),
    sendPack: (...asked) => peer.sendPack(...asked),
    readContents: (...asked) => peer.readContents(...asked),
    arrived: (...asked) => peer.arrived(...asked),
    sendContents: (...asked) => peer.sendContents(...asked),
    hold: (...asked) => peer.hold(...asked),
    release: (lease) => peer.release(lease),
    close: () => peer.close(),
  };
}

/** What is on disk, times and links too, and what the index says of it. */
function described(root: string): unknown {
  const inodes = new Map<bigint, number>();
  const names = fs.readdirSync(root, { recursive: true, encoding: 'latin1' }).sort();
  const files = names
    .filter((name) => name !== '.bk' && !name.startsWith('.bk/'))
    .map((name) => {
      const at = Buffer.from(`${root}/${name}`, 'latin1');
      const stat = fs.lstatSync(at, { bigint: true });
      if (!inodes.has(stat.ino)) inodes.set(stat.ino, inodes.size);
      const what = stat.isFile()
        ? fs.readFileSync(at, 'latin1')
        : stat.isSymbolicLink()
          ? fs.readlinkSync(at)
          : '/';
      const time = stat.isDirectory() ? undefined : stat.mtimeNs;
      const twin = stat.isFile() ? [inodes.get(stat.ino), Number(stat.nlink)] : [];
      return [name, stat.mode, time, twin, what];
    });
  return { files, index: indexOf(root) };
}

function indexOf(root: string): unknown {
  const repo = openRepository(root);
  try {
    return [...repo.index.below(ROOT)].map(
      ([folder, { listing, protections, hashes, ids, records, tree }]) => [
        folder,
        listing.names,
        [...listing.kinds],
        [...protections].map((value, k) => (listing.kinds[k] === KIND.dir ? 0 : value)),
        ...[hashes, ids, records].map((column) =>
          Buffer.from(column.buffer, column.byteOffset, column.byteLength).toString('hex'),
        ),
        tree,
      ],
    );
  } finally {
    repo.close();
  }
}

async function changesIn(root: string, tree: TestTree): Promise<unknown> {
  const repo = openRepository(root);
  try {
    return (await status(repo, {}, tree.context)).changes;
  } finally {
    repo.close();
  }
}

test.each([0, 1_100])(
  'a clone through the port is the one that file to file makes (%s files more)',
  { timeout: 120_000 },
  async (files) => {
    const { tree, repo, afar } = await given(files);
    const near = await clone(
      `${tree.base}/near`,
      { from: await cloneSourceOf(repo, tree.context) },
      tree.context,
    );
    const far = await clone(`${tree.base}/far`, { from: afar }, tree.context);
    expect(far).toEqual({ ...near, root: far.root, id: far.id });
    expect(described(far.root)).toEqual(described(near.root));
    expect(await changesIn(far.root, tree)).toEqual([]);
    expect(fs.readdirSync(`${far.root}/.bk/staging`)).toEqual([]);
  },
);

test('a part through the port is the part that file to file makes', async () => {
  const { tree, repo, afar } = await given();
  const subset = { include: ['b', 'large'], exclude: ['**/twin'] };
  const from = await cloneSourceOf(repo, tree.context);
  const near = await clone(`${tree.base}/near`, { from, ...subset }, tree.context);
  const far = await clone(`${tree.base}/far`, { from: afar, ...subset }, tree.context);
  expect(described(far.root)).toEqual(described(near.root));
});

test('what was edited since comes from the safety net over there', async () => {
  const { tree, repo, afar } = await given();
  tree.save('b/twin', 'edited');
  tree.save('a/one', 'edited');
  fs.rmSync(tree.at('a/other name'));
  fs.rmSync(tree.at('large'));
  fs.rmSync(tree.at('b/large too'));
  const near = await clone(
    `${tree.base}/near`,
    { from: await cloneSourceOf(repo, tree.context) },
    tree.context,
  );
  const far = await clone(`${tree.base}/far`, { from: afar }, tree.context);
  expect(far.missing).toEqual([]);
  expect(described(far.root)).toEqual(described(near.root));
});

/** A peer that breaks off after so many bytes of contents; what it sent is counted. */
class Breaking {
  bytes = 0;
  readonly #peer: Peer;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  until(most: number): Peer {
    this.bytes = 0;
    const counted = async function* (this: Breaking, sent: SentContent) {
      for await (const chunk of sent.chunks) {
        if (this.bytes + chunk.length > most) throw new BkError('unreachable', 'the cable');
        this.bytes += chunk.length;
        yield chunk;
      }
    };
    const peer = this.#peer;
    const readContents = async function* (this: Breaking, ...asked: Parameters<Peer['readContents']>) {
      for await (const one of peer.readContents(...asked))
        yield 'missing' in one ? one : { ...one, chunks: counted.call(this, one) };
    };
    return { ...peer, readContents: readContents.bind(this) };
  }
}

test('one that breaks off goes on, also in the middle of a large file', async () => {
  const { tree, repo, afar } = await given(200);
  const breaking = new Breaking(afar.peer);
  const dst = `${tree.base}/far`;
  const near = await clone(
    `${tree.base}/near`,
    { from: await cloneSourceOf(repo, tree.context) },
    tree.context,
  );
  let came = 0;
  for (const most of [100_000, 1_200_000, 2_300_000, 1_200_000]) {
    const from = { ...afar, peer: breaking.until(most) };
    await expect(clone(dst, { from }, tree.context)).rejects.toThrow('the cable');
    came += breaking.bytes;
    expect(fs.readdirSync(dst)).toEqual(['.bk']);
  }
  await clone(dst, { from: { ...afar, peer: breaking.until(Number.POSITIVE_INFINITY) } }, tree.context);
  came += breaking.bytes;
  expect(described(dst)).toEqual(described(near.root));
  // Twins come once. What was on its way to a thread when it broke off, and had no more time, comes again.
  const once = 4_200_000 + 1_048_577 + 300_000;
  expect(came).toBeLessThan(once + 500_000);
});

test('a part that is not the beginning of the content is not gone on with', async () => {
  const { tree, afar } = await given();
  const breaking = new Breaking(afar.peer);
  const dst = path.join(tree.base, 'far');
  const from = { ...afar, peer: breaking.until(2_500_000) };
  await expect(clone(dst, { from }, tree.context)).rejects.toThrow('the cable');
  const part = ['large', 'b/large too']
    .map((name) => path.join(dst, '.bk/staging/clone', name))
    .find((file) => fs.existsSync(file))!;
  const { size } = fs.statSync(part);
  expect(size).toBeGreaterThan(1_000_000);
  fs.writeFileSync(part, Buffer.alloc(size, 'x'));
  const made = await clone(dst, { from: afar }, tree.context);
  expect(made.missing).toEqual([]);
  expect(fs.readFileSync(path.join(dst, 'large')).equals(fs.readFileSync(tree.at('large')))).toBe(true);
});

import fs from 'node:fs';
import path from 'node:path';
import { hostPeer, MemoryHost, type Peer } from '@bk/remote';
import { createHasher } from '@bk/worktree';
import { afterEach, expect, test } from 'vitest';
import { check } from './check.ts';
import { type CloneResult, type CloneSource, clone, cloneSourceOf } from './clone.ts';
import { repositoryHost } from './peers/host.ts';
import { openRepository, type Repository } from './repository.ts';
import { status } from './status.ts';
import { TestTree } from './tree.fixture.ts';

const trees: TestTree[] = [];
afterEach(() => {
  for (const tree of trees.splice(0)) fs.rmSync(tree.base, { recursive: true, force: true });
});

function sampleTree(): TestTree {
  const tree = new TestTree();
  trees.push(tree);
  const write = (file: string, bytes: string) => {
    fs.mkdirSync(path.dirname(path.join(tree.root, file)), { recursive: true });
    fs.writeFileSync(path.join(tree.root, file), bytes);
  };
  write('music/a.flac', 'a');
  write('music/twin', 'twins');
  write('photos/2019/b.jpg', 'b'.repeat(3_000_000));
  write('photos/twin', 'twins');
  write('top', 'top');
  write('empty', '');
  fs.symlinkSync('top', path.join(tree.root, 'link'));
  return tree;
}

/** A source whose files cannot be opened here: history as it is, contents from memory. */
function remoteSource(repository: Repository, tree: TestTree): { source: CloneSource; host: MemoryHost } {
  const local = repositoryHost(repository, { nowMs: () => 0 });
  const host = new MemoryHost({
    facts: () => local.facts(),
    createHasher,
    history: {
      refs: () => local.refs(),
      pack: (...ids) => local.pack(...ids),
      receive: (...sent) => local.receive(...sent),
    },
    nowMs: () => 0,
  });
  for (const file of ['music/a.flac', 'music/twin', 'photos/2019/b.jpg', 'top'])
    host.put(fs.readFileSync(path.join(tree.root, file)));
  return { source: { address: 'ssh://there/x', peer: hostPeer(host), facts: local.facts() }, host };
}

function contentsOf(root: string): Record<string, string> {
  const names = fs.readdirSync(root, { recursive: true, encoding: 'utf8' });
  const files = names.filter(
    (name) => !name.startsWith('.bk') && fs.lstatSync(path.join(root, name)).isFile(),
  );
  return Object.fromEntries(
    files.sort().map((name) => [name, fs.readFileSync(path.join(root, name), 'latin1')]),
  );
}

async function changesIn(root: string, tree: TestTree): Promise<unknown> {
  const repo = openRepository(root);
  try {
    return (await status(repo, {}, tree.context)).changes;
  } finally {
    repo.close();
  }
}

async function cloned(
  tree: TestTree,
  from: CloneSource,
  options: { include?: string[] } = {},
): Promise<CloneResult> {
  return clone(path.join(tree.base, 'clone'), { from, ...options }, tree.context);
}

test('contents come through the port where files cannot be opened', async () => {
  const tree = sampleTree();
  await tree.commit();
  const repo = openRepository(tree.root);
  const { source } = remoteSource(repo, tree);
  const made = await cloned(tree, source);
  expect(made).toMatchObject({ missing: [], files: 7, warnings: [] });
  expect(contentsOf(made.root)).toEqual(contentsOf(tree.root));
  expect(await changesIn(made.root, tree)).toEqual([]);
  const mtime = (root: string) => fs.statSync(path.join(root, 'photos/2019/b.jpg'), { bigint: true }).mtimeNs;
  expect(mtime(made.root)).toBe(mtime(tree.root));
  repo.close();
});

test('what the port has not, or has damaged, is missing, and nothing is called deleted', async () => {
  const tree = sampleTree();
  await tree.commit();
  const repo = openRepository(tree.root);
  const { source, host } = remoteSource(repo, tree);
  const [a, , b] = [...host.files.keys()];
  host.files.delete(a!);
  host.files.set(b!, Buffer.alloc(3_000_000, 'c'));
  const made = await cloned(tree, source);
  expect(made.missing).toEqual([
    { path: 'music/a.flac', reason: 'the source does not have it' },
    { path: 'photos/2019/b.jpg', reason: 'damaged at the source' },
  ]);
  expect(fs.existsSync(path.join(made.root, 'photos/2019/b.jpg'))).toBe(false);
  expect(await changesIn(made.root, tree)).toEqual([]);
  // A folder that nothing came into is absent for its parent, too.
  const there = openRepository(made.root);
  expect(check(there, {}, tree.context).problems).toEqual([]);
  there.close();
  repo.close();
});

test('as much is asked of a source far away for many files as for few: each question is a round trip', async () => {
  const asked: string[][] = [];
  for (const more of [0, 300]) {
    const tree = sampleTree();
    for (let i = 0; i < more; i++) tree.write(`more/${i % 30}/${i}`, `content ${i}`);
    await tree.commit();
    const repo = openRepository(tree.root);
    const { source, host } = remoteSource(repo, tree);
    for (let i = 0; i < more; i++) host.put(Buffer.from(`content ${i}`));
    const calls: string[] = [];
    const peer = new Proxy(source.peer, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        calls.push(String(name));
        return value.bind(target);
      },
    });
    expect(await cloned(tree, { ...source, peer })).toMatchObject({ missing: [], files: 7 + more });
    asked.push(calls);
    repo.close();
  }
  const [few, many] = asked;
  expect(many).toEqual(few);
  expect(few!.length).toBeLessThan(8);
});

test('a connection that breaks leaves something to go on with', async () => {
  const tree = sampleTree();
  await tree.commit();
  const repo = openRepository(tree.root);
  const { source } = remoteSource(repo, tree);
  const readContents: Peer['readContents'] = async function* (...asked) {
    let n = 0;
    for await (const one of source.peer.readContents(...asked)) {
      if (n++ === 2) throw new Error('the cable');
      yield one;
    }
  };
  const { peer: real } = source;
  const breaking: Peer = {
    facts: () => real.facts(),
    refs: () => real.refs(),
    fetchPack: (...asked) => real.fetchPack(...asked),
    sendPack: (...asked) => real.sendPack(...asked),
    readContents,
    arrived: (...asked) => real.arrived(...asked),
    sendContents: (...asked) => real.sendContents(...asked),
    hold: (...asked) => real.hold(...asked),
    release: (lease) => real.release(lease),
    close: () => real.close(),
  };
  await expect(cloned(tree, { ...source, peer: breaking })).rejects.toThrow('the cable');
  expect(fs.readdirSync(path.join(tree.base, 'clone'))).toEqual(['.bk']);
  expect(() => openRepository(path.join(tree.base, 'clone'))).toThrow('not finished');
  const made = await cloned(tree, source);
  expect(contentsOf(made.root)).toEqual(contentsOf(tree.root));
  repo.close();
});

test('a file that changes after it was staged is not taken for the clone’s', async () => {
  const tree = sampleTree();
  await tree.commit();
  const repo = openRepository(tree.root);
  const from = await cloneSourceOf(repo, tree.context);
  // Somebody makes a folder and a file at the destination while the clone is at work.
  const target = path.join(tree.base, 'clone');
  let done = false;
  const report = () => {
    if (done) return;
    done = true;
    fs.mkdirSync(path.join(target, 'music'));
    fs.writeFileSync(path.join(target, 'music/mine'), 'mine');
    fs.writeFileSync(path.join(target, 'top'), 'mine too');
  };
  const made = await clone(target, { from }, { ...tree.context, report });
  expect(made.missing.map((one) => one.path)).toEqual(['music', 'top']);
  expect(contentsOf(target)).toMatchObject({ 'music/mine': 'mine', top: 'mine too', 'photos/twin': 'twins' });
  expect(contentsOf(target)).not.toHaveProperty('music/a.flac');
  expect(await changesIn(target, tree)).toMatchObject([
    { type: 'added', path: 'music/mine' },
    { type: 'modified', path: 'top' },
  ]);
  repo.close();
});

test('a subset: the rest is in the history, and absent', async () => {
  const tree = sampleTree();
  await tree.commit();
  const repo = openRepository(tree.root);
  const made = await cloned(tree, await cloneSourceOf(repo, tree.context), { include: ['photos'] });
  expect(Object.keys(contentsOf(made.root))).toEqual(['photos/2019/b.jpg', 'photos/twin']);
  expect(made).toMatchObject({ files: 2, missing: [] });
  expect(await changesIn(made.root, tree)).toEqual([]);
  repo.close();
});

test('a clone that fails takes away only what is its own', async () => {
  const tree = sampleTree();
  await tree.commit();
  const dst = path.join(tree.base, 'clone');
  const put = (name: string) => fs.writeFileSync(path.join(dst, name), name);
  const repository = openRepository(tree.root);
  try {
    // Another clone to the same folder is faster, and a person begins to work there.
    const meanwhile = (length: number) => {
      for (const name of ['precious', '.bk/index.sqlite']) put(name);
      return tree.context.random(length);
    };
    const from = await cloneSourceOf(repository, tree.context);
    await expect(clone(dst, { from }, { ...tree.context, random: meanwhile })).rejects.toThrow();
    expect(fs.readdirSync(dst).sort()).toEqual(['.bk', 'precious']);
    expect(fs.readFileSync(path.join(dst, '.bk/index.sqlite'), 'utf8')).toBe('.bk/index.sqlite');
    fs.rmSync(dst, { recursive: true });

    // The history cannot be had; something came to be there meanwhile.
    const { source } = remoteSource(repository, tree);
    const broken = {
      refs: () => source.peer.refs(),
      fetchPack: () => {
        put('precious');
        throw new Error('cut off');
      },
    } as unknown as Peer;
    await expect(cloned(tree, { ...source, peer: broken })).rejects.toThrow('cut off');
    expect(fs.readdirSync(dst)).toEqual(['precious']);
  } finally {
    repository.close();
  }
});

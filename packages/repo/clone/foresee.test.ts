import fs from 'node:fs';
import path from 'node:path';
import { hostPeer, type Peer } from '@bk/remote';
import { afterEach, expect, test, vi } from 'vitest';
import { type CloneResult, type CloneSource, clone, cloneSourceOf } from '../clone.ts';
import { drop } from '../partial.fixture.ts';
import { repositoryHost } from '../peers/host.ts';
import { openRepository, type Repository } from '../repository.ts';
import { TestTree } from '../tree.fixture.ts';

const trees: TestTree[] = [];
afterEach(() => {
  vi.unstubAllEnvs();
  for (const tree of trees.splice(0)) tree[Symbol.dispose]();
});

async function sampleTree(): Promise<TestTree> {
  const tree = new TestTree();
  trees.push(tree);
  for (const file of ['music/a', 'music/b', 'photos/2019/c', 'photos/d', 'top'])
    tree.write(file, `of ${file}`);
  tree.write('photos/twin', 'of music/a');
  tree.write('photos/2019/empty', '');
  fs.symlinkSync('top', tree.at('photos/link'));
  await tree.commit();
  return tree;
}

/** The same repository, seen as if it lay on another machine; contents are not to be asked for. */
function elsewhere(repository: Repository): CloneSource {
  const host = repositoryHost(repository, { nowMs: () => 0 });
  const real = hostPeer(host);
  const peer: Pick<Peer, 'refs' | 'fetchPack'> = {
    refs: () => real.refs(),
    fetchPack: (...asked) => real.fetchPack(...asked),
  };
  return { address: 'ssh://there/x', peer: peer as Peer, facts: host.facts() };
}

interface Seen {
  readonly here: CloneResult;
  readonly there: CloneResult;
}

/** A dry run from a folder at hand, and from afar. */
async function look(tree: TestTree, include: string[] = []): Promise<Seen> {
  const repository = openRepository(tree.root);
  const dst = path.join(tree.base, 'clone');
  const run = (from: CloneSource) => clone(dst, { from, include, dryRun: true }, tree.context);
  try {
    const here = await run(await cloneSourceOf(repository, tree.context));
    return { here, there: await run(elsewhere(repository)) };
  } finally {
    repository.close();
    expect(fs.existsSync(dst)).toBe(false);
  }
}

test('from afar it says the same as from a folder, and leaves nothing', async () => {
  const tree = await sampleTree();
  const temporary = path.join(tree.base, 'tmp');
  fs.mkdirSync(temporary);
  vi.stubEnv('TMPDIR', temporary);
  const { here, there } = await look(tree);
  expect(here).toMatchObject({ id: null, files: 8, missing: [], warnings: [] });
  expect(there).toEqual(here);
  const part = await look(tree, ['photos', 'nosuch']);
  expect(part.here).toMatchObject({ files: 5, warnings: [expect.stringContaining('nosuch')] });
  expect(part.there).toEqual(part.here);
  await expect(look(tree, ['nosuch'])).rejects.toMatchObject({ code: 'usage' });
  expect(fs.readdirSync(temporary)).toEqual([]);
});

test('what the source let go of is no file that would come, unless it has the content elsewhere', async () => {
  const tree = await sampleTree();
  await drop(tree, 'music/a', 'photos/2019', 'top');
  const { here, there } = await look(tree);
  expect(here).toMatchObject({
    files: 6,
    missing: [
      { path: 'photos/2019/c', reason: 'the source does not have it' },
      { path: 'top', reason: 'the source does not have it' },
    ],
  });
  expect(there).toEqual(here);
  const { here: photos, there: same } = await look(tree, ['photos']);
  expect(photos).toMatchObject({ files: 4, missing: [{ path: 'photos/2019/c' }] });
  expect(same).toEqual(photos);
});

test('of a source without commits there is nothing to say', async () => {
  const tree = new TestTree();
  trees.push(tree);
  const { here, there } = await look(tree);
  expect(here).toMatchObject({ commit: null, files: 0, bytes: 0, missing: [] });
  expect(there).toEqual(here);
});

import { describe, expect, test } from 'vitest';
import { type EntityOptions, type EntityResult, entity } from './entity.ts';
import { at, committed, drop } from './partial.fixture.ts';
import { TestTree } from './tree.fixture.ts';

function ask(tree: TestTree, options: EntityOptions): Promise<EntityResult> {
  return tree.with((repo) => entity(repo, options, tree.context));
}

async function list(tree: TestTree): Promise<string[]> {
  const { entities } = await ask(tree, { do: 'list' });
  return entities.map(({ path, kind, title, files, bytes }) => `${path}: ${kind} ${title} ${files} ${bytes}`);
}

async function grown(): Promise<TestTree> {
  const tree = new TestTree();
  for (const file of [
    'a',
    'trips/1',
    'trips/Norway/2',
    'trips/Norway/x/3',
    'trips/Italy/4',
    'code/.git/HEAD',
    'code/m.c',
  ])
    tree.write(file, '12345');
  await tree.commit();
  return tree;
}

const album = (path: string, title: string) =>
  ({ do: 'init', path: at(path), kind: 'album', title }) as const;

describe('entities', () => {
  test('are made, listed, shown, and go along with their folders', async () => {
    using tree = await grown();
    expect(await list(tree)).toEqual(['code: git null 2 10']);
    const { entities, commit } = await ask(tree, album('trips', 'Trips'));
    const record = (await tree.records()).get('trips/.bkdir')!;
    expect(record).toEqual({
      v: 1,
      id: record.id,
      type: 'dir',
      mode: '0755',
      entity: 'album',
      attrs: { title: 'Trips' },
    });
    expect(entities).toEqual([
      {
        id: record.id,
        path: 'trips',
        kind: 'album',
        title: 'Trips',
        attrs: { title: 'Trips' },
        files: 4,
        bytes: 20,
      },
    ]);
    expect(tree.git('rev-parse', 'main').trim()).toBe(commit);
    expect((await ask(tree, album('trips', 'Trips'))).commit).toBe(null);
    expect(await list(tree)).toEqual(['code: git null 2 10', 'trips: album Trips 4 20']);
    const shown = await ask(tree, { do: 'show', path: at('trips/Norway/x/3') });
    expect(shown.entities.map(({ path }) => path)).toEqual(['trips']);
    await expect(ask(tree, { do: 'show', path: at('a') })).rejects.toThrow(/no entity, nor in one/);
    expect(await tree.changes()).toEqual([]);
    tree.mv('trips', 'journeys');
    await tree.commit();
    expect(await list(tree)).toEqual(['code: git null 2 10', 'journeys: album Trips 4 20']);
    expect((await tree.records()).get('journeys/.bkdir')).toEqual(record);
    await tree.verifyIndex();
    tree.fsck();
  });

  test('are split into their sub-folders', async () => {
    using tree = await grown();
    await ask(tree, album('trips', 'Trips'));
    await ask(tree, album('trips/Italy', 'Bella Italia'));
    const { entities } = await ask(tree, { do: 'split', path: at('trips') });
    expect(entities.map(({ path, title }) => [path, title])).toEqual([['trips/Italy', 'Bella Italia'], ['trips/Norway', 'Norway']]); // biome-ignore format: short
    expect(committed(tree)).toEqual(['M trips/.bkdir', 'A trips/Norway/.bkdir']);
    expect(await list(tree)).toEqual([
      ...['code: git null 2 10', 'trips/Italy: album Bella Italia 1 5', 'trips/Norway: album Norway 2 10'],
    ]);
    await expect(ask(tree, { do: 'split', path: at('trips') })).rejects.toThrow(/no entity/);
    await expect(ask(tree, { do: 'split', path: at('trips/Italy') })).rejects.toThrow(/no folders/);
    await expect(ask(tree, { do: 'split', path: at('code') })).rejects.toThrow(/owns a .git/);
    await tree.verifyIndex();
  });

  test('are folders of the head, here or not, and not the root', async () => {
    using tree = await grown();
    await drop(tree, 'trips');
    await ask(tree, album('trips/Norway', 'N'));
    expect(await list(tree)).toEqual(['code: git null 2 10', 'trips/Norway: album N 2 10']);
    expect(await tree.changes()).toEqual([]);
    await tree.verifyIndex();
    await expect(ask(tree, album('a', 'A'))).rejects.toThrow(/only folders/);
    await expect(ask(tree, album('', 'A'))).rejects.toThrow(/the root/);
    await expect(ask(tree, album('none', 'A'))).rejects.toThrow(/no none/);
    await expect(ask(tree, { ...album('code', 'A'), kind: ' ' })).rejects.toThrow(/--kind/);
  });
});

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { presenceRef, type RepoPath } from '@bk/core';
import { layoutOf, readConfig, writeConfig } from '@bk/store';
import { afterEach, beforeEach, expect, type TestContext, test } from 'vitest';
import { covered } from '../covered.ts';
import { idOf } from '../holdings/holdings.fixture.ts';
import { loseIndex } from '../partial.fixture.ts';
import { openRepository } from '../repository.ts';
import { TestTree } from '../tree.fixture.ts';
import { where } from '../where.ts';

const FILES = ['p/1', 'p/2', 'q'];
let here: TestTree;
let there: TestTree;
/** In memory: another volume than that of the repositories. */
let card: string;

beforeEach(async () => {
  here = new TestTree();
  there = new TestTree();
  // Test trees are all made alike.
  writeConfig(configOf(there), { ...readConfig(configOf(there))!, id: idOf('d') });
  card = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'bk-card-'));
  here.write('seed', 'seed');
  await here.commit();
  for (const file of FILES) {
    there.write(file, `content of ${file}`);
    fs.mkdirSync(path.dirname(`${card}/${file}`), { recursive: true });
    fs.copyFileSync(there.at(file), `${card}/${file}`);
  }
  await there.commit();
  know(there.root);
});
afterEach(() => {
  here[Symbol.dispose]();
  there[Symbol.dispose]();
  fs.rmSync(card, { recursive: true });
});

const configOf = (tree: TestTree) => layoutOf(tree.root).config;

function know(address: string): void {
  const { id } = readConfig(configOf(there))!;
  here.git('fetch', '-q', layoutOf(there.root).history, `+${presenceRef(id)}:${presenceRef(id)}`);
  writeConfig(configOf(here), { ...readConfig(configOf(here))!, remotes: { there: { address, id } } });
}

const ask = (dir = card) => here.with((repo) => covered(repo, { dir }, here.context));
const unique = async () => (await ask()).unique.map((file) => file.path);

function needsTwoVolumes(context: TestContext): void {
  const same = fs.statSync(card).dev === fs.statSync(here.root).dev;
  context.skip(same, 'needs memory (/dev/shm) beside the temporary folder');
}

test('of a remote within reach that counts what is there now, not what it said last', async (context) => {
  needsTwoVolumes(context);
  expect(await ask()).toMatchObject({ wipeable: true, doubts: [] });
  fs.rmSync(there.at('p'), { recursive: true });
  fs.writeFileSync(there.at('q'), 'edited');
  expect(await unique()).toEqual(FILES);
  fs.writeFileSync(there.at('q'), 'content of q');
  expect(await unique()).toEqual(['p/1', 'p/2']);
  await here.with((repo) => {
    const { id } = readConfig(configOf(there))!;
    const at = here.git('ls-tree', '-r', '--name-only', `${presenceRef(id)}:present`);
    expect(at.split('\n')).toContain('p/1'); // what it said last
    expect(where(repo, { paths: ['seed' as RepoPath] }, here.context).files).toHaveLength(1);
  });
});

test('what came there since counts, also what was not fetched', async (context) => {
  needsTwoVolumes(context);
  fs.writeFileSync(`${card}/new`, 'new');
  there.write('new', 'new');
  expect(await unique()).toEqual(['new']);
  await there.commit();
  expect(await unique()).toEqual([]);
});

test('out of reach, or with another id, it counts by what it said last', async (context) => {
  needsTwoVolumes(context);
  fs.rmSync(there.at('p'), { recursive: true });
  fs.renameSync(there.root, `${there.base}/unplugged`);
  expect(await ask()).toMatchObject({ wipeable: true, doubts: [] });
  fs.mkdirSync(there.root);
  expect(await ask()).toMatchObject({ wipeable: true, doubts: [] });
  fs.cpSync(here.root, there.root, { recursive: true });
  expect(await ask()).toMatchObject({ wipeable: true, doubts: [] });
});

test.each([
  ['its config', () => fs.writeFileSync(configOf(there), '{')],
  [
    'its history',
    () => {
      loseIndex(there);
      fs.rmSync(`${layoutOf(there.root).history}/objects`, { recursive: true });
    },
  ],
])('damaged (%s), it does not count, and that is told', async (_, damage) => {
  damage();
  const found = await ask();
  expect(found.doubts).toMatchObject([{ name: 'there' }]);
  expect(found.doubts[0]?.reason).toMatch(/within reach, but cannot be read/);
  expect(found).toMatchObject({ wipeable: false, unique: FILES.map((file) => ({ path: file })) });
});

test('it is read while another writes there, and an index that it lost is not made there', async (context) => {
  needsTwoVolumes(context);
  const dot = layoutOf(there.root).dot;
  const listed = () => fs.readdirSync(dot, { recursive: true, encoding: 'utf8' }).filter(isKept).sort();
  for (const lost of [false, true]) {
    const writer = lost ? undefined : openRepository(there.root);
    if (lost) loseIndex(there);
    writer?.beginWriting();
    const before = listed();
    expect(await ask()).toMatchObject({ wipeable: true, doubts: [] });
    expect(listed()).toEqual(before);
    writer?.close();
  }
});

const isKept = (name: string) => !/-(wal|shm)$/.test(name);

test('many contents are looked at in threads', async (context) => {
  needsTwoVolumes(context);
  for (let n = 0; n < 2_100; n++) {
    there.write(`many/${n % 7}/${n}`, `number ${n}`);
    fs.mkdirSync(`${card}/many`, { recursive: true });
    fs.writeFileSync(`${card}/many/${n}`, `number ${n}`);
  }
  await there.commit();
  expect((await ask()).wipeable).toBe(true);
  fs.rmSync(there.at('many/3/10'));
  fs.writeFileSync(there.at('many/4/11'), 'edited');
  expect((await unique()).sort()).toEqual(['many/10', 'many/11']);
});

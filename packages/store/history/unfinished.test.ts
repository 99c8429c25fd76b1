import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeUnfinishedPacks } from './unfinished.ts';

let dot: string;
let layout: { history: string; staging: string };
beforeEach(() => {
  dot = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-unfinished-'));
  layout = { history: path.join(dot, 'history'), staging: path.join(dot, 'staging') };
  fs.mkdirSync(path.join(layout.history, 'objects/pack'), { recursive: true });
  fs.mkdirSync(path.join(layout.staging, 'tx-1/probe/objects/pack'), { recursive: true });
});
afterEach(() => fs.rmSync(dot, { recursive: true }));

const packs = (): string[] => fs.readdirSync(path.join(layout.history, 'objects/pack')).sort();
const inPacks = (name: string): string => path.join(layout.history, 'objects/pack', name);
const inStaging = (name: string): string => path.join(layout.staging, name);

test('a pack without an index goes if it is a staged one; finished ones and those of git stay', () => {
  for (const [staged, name] of [
    ['pack-1-a.pack', 'pack-unfinished.pack'],
    ['pack-1-b.pack', 'pack-finished.pack'],
    ['tx-1/probe/objects/pack/pack-c.pack', 'pack-received.pack'],
  ] as const) {
    fs.writeFileSync(inStaging(staged), name);
    fs.linkSync(inStaging(staged), inPacks(name));
  }
  fs.writeFileSync(inPacks('pack-finished.idx'), 'index');
  fs.writeFileSync(inPacks('pack-of-git.pack'), 'git is writing its index');
  removeUnfinishedPacks(layout);
  expect(packs()).toEqual(['pack-finished.idx', 'pack-finished.pack', 'pack-of-git.pack']);
  removeUnfinishedPacks(layout);
  expect(packs()).toHaveLength(3);
});

test('nothing staged, or no staging at all: nothing goes', () => {
  fs.writeFileSync(inPacks('pack-of-git.pack'), 'x');
  removeUnfinishedPacks(layout);
  fs.rmSync(layout.staging, { recursive: true });
  removeUnfinishedPacks(layout);
  expect(packs()).toEqual(['pack-of-git.pack']);
});

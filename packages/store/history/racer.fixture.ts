/** A process of its own: adds commits on top of whatever the ref is at, as often as it is told, and prints their ids. */
import type { GitId } from '@bk/core';
import { MAIN } from './history.fixture.ts';
import { PackWriter } from './pack-writer.ts';
import { HistoryReader } from './reader.ts';
import { readRef, updateRef } from './refs.ts';

const [, , dir = '', staging = '', name = '', rounds = '0'] = process.argv;
const reader = new HistoryReader(dir);
const who = { name, email: '', timeSec: 1_800_000_000, offsetMinutes: 0 };

function commitOnce(round: number): GitId {
  for (;;) {
    const parent = readRef(dir, MAIN)!;
    const writer = new PackWriter(dir, staging);
    const { tree } = reader.readCommit(parent);
    const id = writer.addCommit({
      tree,
      parents: [parent],
      author: who,
      committer: who,
      message: `${name} ${round}\n`,
    });
    writer.finish();
    try {
      updateRef(dir, MAIN, parent, id);
      return id;
    } catch (error) {
      const { code } = error as { code?: string };
      if (code !== 'refused' && code !== 'locked') throw error;
    }
  }
}

for (let round = 0; round < Number(rounds); round++) console.log(commitOnce(round));

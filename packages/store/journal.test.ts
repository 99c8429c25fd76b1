import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ContentHash, RepoPath, Transaction } from '@bk/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hasPending, Journal, pendingTransactions } from './journal.ts';
import { type Layout, layoutOf } from './layout.ts';
import { clearStaging, makeStaging, newTransactionId, removeStaging } from './staging.ts';

let base: string;
let layout: Layout;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-journal-'));
  layout = layoutOf(base);
  fs.mkdirSync(layout.dot);
});
afterEach(() => fs.rmSync(base, { recursive: true, force: true }));

function transaction(): Transaction {
  return {
    id: newTransactionId(),
    verb: 'recover',
    placing: 'link',
    steps: [
      { do: 'mkdir', path: 'a' as RepoPath, mode: 0o755 },
      {
        do: 'place',
        path: 'a/caf%E9\u00fc' as RepoPath,
        expect: {
          is: 'entry',
          inode: 2n ** 63n + 1n,
          size: 5,
          mtimeNs: -1n,
          ctimeNs: 1_700_000_000_123_456_789n,
        },
        content: {
          source: `safety/ab/${'c'.repeat(62)}-1z`,
          how: 'link',
          blake3: 'ab'.repeat(32) as ContentHash,
          size: 5,
        },
        mode: 0o644,
        mtimeNs: 123_456_789n,
      },
    ],
  };
}

describe('journal', () => {
  it('says what was begun, until it is ended', () => {
    const begun = transaction();
    const journal = Journal.begin(layout, begun);
    expect(hasPending(layout)).toBe(true);
    expect(pendingTransactions(layout)).toEqual([
      { transaction: begun, committed: false, failed: [], creating: new Set() },
    ]);
    journal.creating(1);
    journal.done(2);
    journal.commit([1]);
    journal.leave();
    expect(pendingTransactions(layout)).toEqual([
      { transaction: begun, committed: true, failed: [1], creating: new Set([1]) },
    ]);
    const again = Journal.reopen(layout, begun.id);
    again.end();
    expect(pendingTransactions(layout)).toEqual([]);
    expect(fs.readdirSync(layout.journal)).toEqual([]);
  });

  it('torn anywhere before it was ready, nothing was begun; after it, all that was ready counts', () => {
    const begun = transaction();
    Journal.begin(layout, begun).leave();
    const file = path.join(layout.journal, `${begun.id}.jsonl`);
    const whole = fs.readFileSync(file);
    for (let length = 0; length < whole.length - 1; length++) {
      fs.writeFileSync(file, whole.subarray(0, length));
      expect(pendingTransactions(layout), `torn at ${length}`).toEqual([]);
      expect(fs.existsSync(file)).toBe(false);
    }
    fs.writeFileSync(file, Buffer.concat([whole, Buffer.from('\n12345678 {"committed":tr')]));
    expect(pendingTransactions(layout)).toEqual([
      { transaction: begun, committed: false, failed: [], creating: new Set() },
    ]);
    const journal = Journal.reopen(layout, begun.id);
    journal.commit();
    journal.leave();
    expect(pendingTransactions(layout)[0]!.committed).toBe(true);
  });

  it('one changed byte, and the line is none', () => {
    const begun = transaction();
    Journal.begin(layout, begun).leave();
    const file = path.join(layout.journal, `${begun.id}.jsonl`);
    const whole = fs.readFileSync(file);
    for (let at = 1; at < whole.length - 1; at++) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 1;
      fs.writeFileSync(file, changed);
      expect(pendingTransactions(layout), `changed at ${at}`).toEqual([]);
    }
  });

  it('trusts no path in it', () => {
    const begun = transaction();
    Journal.begin(layout, {
      ...begun,
      steps: [{ do: 'mkdir', path: '../out' as RepoPath, mode: 0o755 }],
    }).leave();
    expect(() => pendingTransactions(layout)).toThrow(/does not write/);
  });
});

describe('staging', () => {
  it('is emptied of what is expendable, of nothing else', () => {
    const active = newTransactionId();
    const dead = newTransactionId();
    const folder = makeStaging(layout, dead);
    makeStaging(layout, active);
    for (const name of ['s0', 's12', 'c3', 'stranger']) fs.writeFileSync(path.join(folder, name), name);
    fs.writeFileSync(path.join(base, 'live'), 'live');
    fs.linkSync(path.join(base, 'live'), path.join(folder, 't0'));
    fs.writeFileSync(path.join(folder, 't1'), 'the last link of a file');
    fs.mkdirSync(path.join(folder, 'clock'));
    fs.writeFileSync(path.join(layout.staging, `net-${'0'.repeat(16)}-1`), '');
    fs.writeFileSync(path.join(layout.staging, 'mine'), '');
    const { captured, strangers } = clearStaging(layout, new Set([active]));
    expect(captured.map((file) => path.basename(file)).sort()).toEqual(['c3', 't1']);
    expect([...strangers].sort()).toEqual(['staging/mine', `staging/${dead}/stranger`]);
    expect(fs.readdirSync(folder).sort()).toEqual(['c3', 'stranger', 't1']);
    expect(fs.readdirSync(layout.staging).sort()).toEqual(['mine', active, dead].sort());
    expect(removeStaging(layout, active)).toEqual([]);
    expect(fs.existsSync(path.join(layout.staging, active))).toBe(false);
  });
});

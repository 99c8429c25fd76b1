import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type ContentHash, type DeletionPolicy, KIND, type ObjectId, type RepoPath, ROOT } from '@bk/core';
import { grantLease, leasesFile, SafetyNet } from '@bk/store';
import { hashBytes } from '@bk/worktree';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommitResult, commit } from '../commit.ts';
import type { Context } from '../context.ts';
import { init } from '../init.ts';
import { hashAt, idAt } from '../observe/draft.ts';
import { openRepository, type Repository } from '../repository.ts';
import { safety } from '../safety.ts';
import { findReleasable, releaseDeparted } from './release.ts';

const DAY_MS = 86_400_000;
const REPLACED_DAYS = 30;
let root: string;
let nowMs: number;
const context: Context = { report: () => {}, nowMs: () => nowMs, random: (bytes) => randomBytes(bytes) };

beforeEach(() => begin());
afterEach(() => fs.rmSync(root, { recursive: true, force: true }));

function begin(): void {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-release-'));
  nowMs = Date.now();
  init(root, {}, context);
}

function withRepository<T>(work: (repo: Repository) => T): T {
  const repo = openRepository(root);
  try {
    return work(repo);
  } finally {
    repo.close();
  }
}

async function committed(
  deletions: DeletionPolicy = 'confirmed',
  paths: string[] = [],
): Promise<CommitResult> {
  const repo = openRepository(root);
  try {
    return await commit(repo, { deletions, allowMassDelete: true, paths: paths as RepoPath[] }, context);
  } finally {
    repo.close();
  }
}

const at = (name: string) => path.join(root, name);
/** As editors save: a new file, then a rename over the old one. */
function write(name: string, text: string): void {
  fs.writeFileSync(at('.new'), text);
  fs.renameSync(at('.new'), at(name));
}
const remove = (name: string) => fs.rmSync(at(name), { force: true });
function copyWithTimes(from: string, to: string): void {
  const { atimeMs, mtimeMs } = fs.statSync(at(from));
  fs.copyFileSync(at(from), at('.new'));
  fs.utimesSync(at('.new'), atimeMs / 1000, mtimeMs / 1000);
  fs.utimesSync(at(from), atimeMs / 1000, mtimeMs / 1000);
  fs.renameSync(at('.new'), at(to));
}
/** As if the index had been lost: what left is known from the history alone. */
const loseIndex = () => {
  for (const suffix of ['', '-wal', '-shm']) fs.rmSync(at(`.bk/index.sqlite${suffix}`), { force: true });
};

const hash = (text: string) => hashBytes(Buffer.from(text));
const layout = () => ({ safety: at('.bk/safety'), staging: at('.bk/staging') });
/** Names in the net that truly hold a content. */
function inNet(blake3: ContentHash): number {
  const entries = new SafetyNet(layout()).lookup(blake3);
  return entries.filter(({ file }) => hashBytes(fs.readFileSync(file)) === blake3).length;
}

describe('a release', () => {
  it('lets a confirmed deletion go in its commit, an unconfirmed one never', async () => {
    write('a', 'one');
    write('b', 'two');
    await committed();
    remove('a');
    await committed('confirmed');
    expect(inNet(hash('one'))).toBe(0);
    remove('b');
    await committed('kept');
    nowMs += 1_000 * DAY_MS;
    await committed('confirmed');
    expect(withRepository((repo) => findReleasable(repo, context))).toEqual([]);
    expect(inNet(hash('two'))).toBe(1);
  });

  it.each(['a commit', 'a release'])(
    'in %s waits for the end of a promise to another repository',
    async (how) => {
      write('a', 'one');
      write('b', 'two');
      await committed();
      withRepository((repo) => {
        repo.beginWriting();
        grantLease(repo.layout, [hash('one')], { nowMs, forMs: 60_000, most: 9 });
      });
      for (const name of ['a', 'b']) remove(name);
      await committed('confirmed');
      expect([inNet(hash('one')), inNet(hash('two'))]).toEqual([1, 0]);
      const letGo = async () => {
        if (how === 'a commit') await committed();
        else withRepository((repo) => safety(repo, { do: 'release' }, context));
      };
      nowMs += 59_000;
      await letGo();
      expect(inNet(hash('one'))).toBe(1);
      nowMs += 2_000;
      await letGo();
      expect(inNet(hash('one'))).toBe(0);
    },
  );

  it('lets nothing go while it cannot be told what was promised', async () => {
    write('a', 'one');
    await committed();
    remove('a');
    fs.writeFileSync(leasesFile({ dot: at('.bk') }), '{');
    await committed('confirmed');
    expect(inNet(hash('one'))).toBe(1);
    fs.rmSync(leasesFile({ dot: at('.bk') }));
    await committed();
    expect(inNet(hash('one'))).toBe(0);
  });

  it('lets replaced versions go after 30 days', async () => {
    write('a', 'one');
    await committed();
    write('a', 'two');
    await committed();
    nowMs += (REPLACED_DAYS - 1) * DAY_MS;
    await committed();
    expect(inNet(hash('one'))).toBe(1);
    nowMs += 1.1 * DAY_MS;
    write('other', 'x');
    await committed();
    expect(inNet(hash('one'))).toBe(0);
    expect(inNet(hash('two'))).toBe(1);
  });

  it('frees the deleted one of two equal files and keeps the protection of the other', async () => {
    write('a', 'one');
    copyWithTimes('a', 'b');
    await committed();
    const before = inNet(hash('one'));
    remove('a');
    await committed('confirmed');
    expect(inNet(hash('one'))).toBe(Math.max(1, before - 1));
    remove('b');
    expect(inNet(hash('one'))).toBeGreaterThan(0);
    await committed('confirmed');
    expect(inNet(hash('one'))).toBe(0);
  });

  it.each([false, true])(
    'keeps what an unconfirmed deletion of an equal file needs (index lost: %s)',
    async (lost) => {
      write('a', 'one');
      copyWithTimes('a', 'b');
      await committed();
      remove('b');
      await committed('kept');
      remove('a');
      if (lost) loseIndex();
      await committed('confirmed');
      expect(inNet(hash('one'))).toBeGreaterThan(0);
    },
  );

  it.each([false, true])(
    'keeps what an unconfirmed deletion of another name of the inode needs (index lost: %s)',
    async (lost) => {
      write('a', 'one');
      fs.linkSync(at('a'), at('b'));
      await committed();
      remove('b');
      await committed('kept');
      remove('a');
      if (lost) loseIndex();
      await committed('confirmed');
      expect(inNet(hash('one'))).toBeGreaterThan(0);
    },
  );

  it('keeps what a file needs that is gone but not committed so', async () => {
    write('a', 'one');
    fs.linkSync(at('a'), at('b'));
    write('c', 'two');
    copyWithTimes('c', 'd');
    await committed();
    for (const name of ['a', 'b', 'c', 'd']) remove(name);
    await committed('confirmed', ['a', 'c']);
    expect(inNet(hash('one'))).toBeGreaterThan(0);
    expect(inNet(hash('two'))).toBeGreaterThan(0);
    await committed('confirmed');
    expect(inNet(hash('one'))).toBe(0);
  });

  it('keeps the only entry of a content that a file has whose own entry is lost', async () => {
    write('a', 'one');
    copyWithTimes('a', 'b');
    await committed();
    const { ino } = fs.statSync(at('b'), { bigint: true });
    const [own] = new SafetyNet(layout()).lookup(hash('one')).filter(({ inode }) => inode === ino);
    if (own !== undefined) fs.rmSync(own.file);
    for (const name of ['a', 'b']) remove(name);
    await committed('confirmed', ['a']);
    expect(inNet(hash('one'))).toBeGreaterThan(0);
    await committed('confirmed', ['b']);
    expect(inNet(hash('one'))).toBe(0);
  });

  it('leaves an entry alone that was written to since, or is not of that size', async () => {
    write('a', 'one');
    await committed();
    const [entry] = new SafetyNet(layout()).lookup(hash('one'));
    remove('a');
    if (entry?.inode === undefined) return;
    fs.writeFileSync(entry.file, 'written through another name');
    await committed('confirmed');
    expect(fs.readFileSync(entry.file, 'utf8')).toBe('written through another name');
  });

  it('counts each entry once and goes on where it was interrupted', async () => {
    write('a', 'one');
    fs.linkSync(at('a'), at('b'));
    await committed();
    for (const name of ['a', 'b']) remove(name);
    await committed('kept');
    withRepository((repo) => {
      repo.beginWriting();
      const rows = repo.index.departed.all().map((row) => ({ ...row, confirmed: true }));
      repo.index.write({ departed: rows });
      const releasable = findReleasable(repo, context);
      expect(releasable).toHaveLength(2);
      expect(releasable.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(3);
      // Killed between the net and the index.
      for (const { entries } of releasable) for (const { file } of entries) fs.rmSync(file);
      expect(releaseDeparted(repo, context)).toEqual({ entries: 0, bytes: 0 });
      expect(repo.index.departed.unreleased()).toEqual([]);
      expect(releaseDeparted(repo, context)).toEqual({ entries: 0, bytes: 0 });
    });
    expect(inNet(hash('one'))).toBe(0);
  });
});

/** The head's objects by id, with their contents. */
function headOf(repo: Repository): Map<ObjectId, ContentHash> {
  const head = new Map<ObjectId, ContentHash>();
  for (const [, known] of repo.index.below(ROOT)) {
    known.listing.kinds.forEach((kind, k) => {
      if (kind === KIND.file) head.set(idAt(known, k), hashAt(known, k));
    });
  }
  return head;
}

/** What must not be lost, by a model that knows nothing of the net: the head, kept deletions, young replaced versions. */
class Ledger {
  #head = new Map<ObjectId, ContentHash>();
  readonly #kept = new Map<ObjectId, ContentHash[]>();
  readonly #replaced: { readonly content: ContentHash; readonly untilMs: number }[] = [];

  committed(head: Map<ObjectId, ContentHash>, policy: DeletionPolicy): void {
    for (const [id, content] of this.#head) {
      const now = head.get(id);
      if (now === undefined && policy === 'kept')
        this.#kept.set(id, [...(this.#kept.get(id) ?? []), content]);
      if (now !== undefined && now !== content) {
        this.#replaced.push({ content, untilMs: nowMs + (REPLACED_DAYS * DAY_MS - 2_000) });
      }
    }
    for (const id of head.keys()) this.#kept.delete(id);
    this.#head = head;
  }

  needed(): Set<ContentHash> {
    const young = this.#replaced.filter(({ untilMs }) => nowMs < untilMs).map(({ content }) => content);
    return new Set([...this.#head.values(), ...[...this.#kept.values()].flat(), ...young]);
  }
}

function here(): Set<ContentHash> {
  const found = new Set<ContentHash>();
  for (const entry of fs.readdirSync(root))
    if (entry !== '.bk') found.add(hashBytes(fs.readFileSync(at(entry))));
  for (const { file } of new SafetyNet(layout()).list()) found.add(hashBytes(fs.readFileSync(file)));
  return found;
}

describe('whatever people do', () => {
  const name = fc.constantFrom('a', 'b', 'c');
  const text = fc.constantFrom('one', 'two');
  const commitOf = (only: fc.Arbitrary<'a' | 'b' | 'c' | null>) =>
    fc.record({ do: fc.constant('commit' as const), kept: fc.boolean(), only });
  const action = fc.oneof(
    { weight: 1, arbitrary: fc.record({ do: fc.constant('write' as const), name, text }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('copy' as const, 'link' as const, 'move' as const),
        name,
        to: name,
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), name }) },
    { weight: 12, arbitrary: fc.record({ do: fc.constant('forget' as const), name, kept: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('touch' as const), name }) },
    { weight: 2, arbitrary: commitOf(fc.constant(null)) },
    { weight: 2, arbitrary: commitOf(name) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), days: fc.constantFrom(10, 31) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const) }) },
  );
  type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

  async function perform(step: Action, ledger: Ledger): Promise<void> {
    const there = 'name' in step && fs.existsSync(at(step.name));
    if (step.do === 'wait') nowMs += step.days * DAY_MS;
    else if (step.do === 'lose') loseIndex();
    else if (step.do === 'write') write(step.name, step.text);
    else if (step.do === 'commit') {
      const policy = step.kept ? 'kept' : 'confirmed';
      await committed(policy, step.only === null ? [] : [step.only]);
      ledger.committed(withRepository(headOf), policy);
    } else if (!there) return;
    else if (step.do === 'remove') remove(step.name);
    else if (step.do === 'forget') {
      remove(step.name);
      await perform({ do: 'commit', kept: step.kept, only: null }, ledger);
    } else if (step.do === 'touch')
      fs.utimesSync(at(step.name), 1_600_000_000, 1_600_000_000 + (nowMs % 1_000));
    else if ('to' in step && step.name !== step.to) bring(step.do, step.name, step.to);
  }

  function bring(how: string, from: string, to: string): void {
    if (how === 'copy') copyWithTimes(from, to);
    else if (how === 'move') fs.renameSync(at(from), at(to));
    else {
      remove(to);
      fs.linkSync(at(from), at(to));
    }
  }

  it('nothing goes that the head, an unconfirmed deletion or a young replaced version needs', {
    timeout: 120_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.boolean(),
        fc.array(action, { minLength: 3, maxLength: 12 }),
        async (linked, steps) => {
          fs.rmSync(root, { recursive: true, force: true });
          begin();
          const ledger = new Ledger();
          write('a', 'one');
          bring(linked ? 'link' : 'copy', 'a', 'b');
          await perform({ do: 'commit', kept: true, only: null }, ledger);
          for (const step of steps) {
            await perform(step, ledger);
            const found = here();
            for (const content of ledger.needed()) expect(found, JSON.stringify(step)).toContain(content);
          }
        },
      ),
      { numRuns: Number(process.env['BK_RUNS'] ?? 30) },
    );
  });
});

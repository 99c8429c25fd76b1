import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { BkError, formatRecord, type GitId } from '@bk/core';
import { HistoryReader, initHistory, type PackLimits, receivePack, type Tip } from '@bk/store';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fastFolder } from '../support/temporary.ts';
import {
  appending,
  commitText,
  type Entry,
  entry,
  Forge,
  factsOf,
  headerOf,
  idDelta,
  lengthOf,
  nameOf,
  number,
  offsetDelta,
  packOf,
  sealed,
} from './forge.ts';

const FILE = '100644';
const FOLDER = '40000';
const MAIN = 'refs/heads/main';
const OTHER = '0190a1b2-c3d4-7e5f-8a6b-999999999999';
const PRESENCE = `refs/bk/repositories/${OTHER}`;
const NOWHERE = '1'.repeat(40) as GitId;

/** What is sent, and for which refs. */
interface Sent {
  readonly pack: Buffer;
  readonly tips: readonly Tip[];
  readonly limits?: Partial<PackLimits>;
}

interface Here {
  readonly dir: string;
  readonly staging: string;
  /** A commit, a tree, a record and a presence that are here already. */
  readonly commit: GitId;
  readonly tree: GitId;
  readonly record: GitId;
  readonly presence: GitId;
  readonly presenceTree: GitId;
}

let here: Here;
let reader: HistoryReader;

beforeEach(async () => {
  const base = fastFolder('bk-hostile-');
  const layout = { history: path.join(base, 'history'), staging: path.join(base, 'staging') };
  fs.mkdirSync(layout.staging);
  initHistory(layout.history);
  reader = new HistoryReader(layout.history);
  const forge = new Forge();
  const record = forge.record();
  const tree = forge.tree([FILE, 'a', record], [FOLDER, 'b', forge.tree([FILE, 'c', forge.record()])]);
  const commit = forge.commit(tree);
  const presenceTree = forge.tree([FOLDER, 'present', tree], [FILE, 'repository.json', about(forge)]);
  const presence = forge.commit(presenceTree);
  await receivePack(
    chunks(packOf(forge.entries)),
    [
      { name: MAIN, id: commit },
      { name: PRESENCE, id: presence },
    ],
    {
      layout,
      reader,
    },
  );
  here = { dir: layout.history, staging: layout.staging, commit, tree, record, presence, presenceTree };
});

afterEach(() => reader.close());

function about(forge: Forge, id = OTHER): GitId {
  return forge.add('blob', factsOf(id));
}

async function* chunks(bytes: Buffer, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function receive({ pack, tips, limits }: Sent) {
  const layout = { history: here.dir, staging: here.staging };
  return receivePack(chunks(pack), tips, { layout, reader, ...(limits && { limits }) });
}

function git(...args: string[]): string {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' };
  return execFileSync('git', ['--git-dir', here.dir, ...args], {
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function main(forge: Forge, tip: GitId): Sent {
  return { pack: packOf(forge.entries), tips: [{ name: MAIN, id: tip }] };
}

/** A commit of the tree that `make` makes. */
function treeOf(make: (forge: Forge) => GitId): () => Sent {
  return () => {
    const forge = new Forge();
    return main(forge, forge.commit(make(forge)));
  };
}

/** A commit with one file of this name. */
function named(name: string | Buffer, mode = FILE): () => Sent {
  return treeOf((forge) => {
    const below = forge.record();
    return forge.tree([mode, name, mode === FOLDER ? forge.tree([FILE, 'x', below]) : below]);
  });
}

/** A commit with one record of this text. */
function recorded(text: string | Buffer, name = 'a'): () => Sent {
  return treeOf((forge) => forge.tree([FILE, name, forge.add('blob', text)]));
}

function commitOf(text: (tree: GitId) => string): () => Sent {
  return () => {
    const forge = new Forge();
    const tree = forge.tree([FILE, 'a', forge.record()]);
    return main(forge, forge.add('commit', text(tree)));
  };
}

function presence(make: (forge: Forge) => GitId, parents: () => readonly GitId[] = () => []): () => Sent {
  return () => {
    const forge = new Forge();
    const tip = forge.commit(make(forge), parents());
    return { pack: packOf(forge.entries), tips: [{ name: PRESENCE, id: tip }] };
  };
}

/** A right history whose bytes are changed afterwards. */
function bytes(change: (pack: Buffer) => Buffer): () => Sent {
  return () => {
    const sent = treeOf((forge) => forge.tree([FILE, 'a', forge.record()]))();
    return { ...sent, pack: change(sent.pack) };
  };
}

/** A right history and one more entry, or other entries in its place. */
function entries(
  change: (entries: Entry[], tip: GitId) => Entry[],
  limits?: Partial<PackLimits>,
): () => Sent {
  return () => {
    const forge = new Forge();
    const tip = forge.commit(forge.tree([FILE, 'a', forge.record()]));
    return {
      pack: packOf(change(forge.entries, tip)),
      tips: [{ name: MAIN, id: tip }],
      ...(limits && { limits }),
    };
  };
}

function rec(more: object): string {
  return formatRecord({ ...new Forge().rec(), ...more });
}

const RECORD = rec({});
const LINK = rec({ type: 'symlink', size: 4, target: '/tmp' });

/** A chain of deltas, each on the one before. */
function chain(length: number): Entry[] {
  let body: Buffer = Buffer.from(RECORD);
  const made: Entry[] = [entry('blob', body)];
  for (let i = 0; i < length; i++) {
    const next = Buffer.concat([body, Buffer.from('x')]);
    made.push(idDelta(nameOf('blob', body), appending(body, Buffer.from('x'))));
    body = next;
  }
  return made;
}

/** Trees that name one another so that a few stand for very many paths. */
function sharing(levels: number, width: number): () => Sent {
  return treeOf((forge) => {
    let tree = forge.tree([FILE, 'f', forge.record()]);
    for (let i = 0; i < levels; i++) {
      const below = tree;
      const names = Array.from({ length: width }, (_, n) => String(n).padStart(3, '0'));
      tree = forge.tree(...names.map((name) => [FOLDER, name, below] as const));
    }
    return tree;
  });
}

function deep(levels: number): () => Sent {
  return treeOf((forge) => {
    let tree = forge.tree([FILE, 'f', forge.record()]);
    for (let i = 0; i < levels; i++) tree = forge.tree([FOLDER, 'd', tree]);
    return tree;
  });
}

/** Each with what it mirrors, and what the person is told. */
const CASES: readonly (readonly [mirrors: string, what: string, make: () => Sent, told: RegExp])[] = [
  // names (S01)
  ['CVE-2024-35186, S01', 'a name ..', named('..'), /impossible name/],
  ['CVE-2021-30483, S01', 'a folder ..', named('..', FOLDER), /impossible name/],
  ['S01', 'a name .', named('.'), /impossible name/],
  ['S01', 'an empty name', named(''), /impossible name/],
  ['CVE-2014-9390, S01', 'a slash in a name', named('a/b'), /impossible name/],
  ['S01', 'an absolute name', named('/etc/passwd'), /impossible name/],
  ['CVE-2019-1353, S01', 'a backslash', named('..\\x'), /canonical/],
  ['F02, S12', 'a line feed', named('a\nb'), /canonical/],
  ['S12', 'an escape sequence', named('\u001b]0;x\u0007'), /canonical/],
  ['SPEC 2.1', 'an escape that is not needed', named('%41'), /canonical/],
  ['SPEC 2.1', 'lower case hex', named('%2egit'), /canonical/],
  ['SPEC 2.1', 'a bare %', named('100%'), /canonical/],
  ['S01', 'an encoded slash', named('a%2Fb'), /canonical/],
  ['S01', 'an encoded NUL', named('a%00b'), /canonical/],
  ['F01', 'a name that is no UTF-8', named(Buffer.from([0x66, 0xff])), /impossible name/],
  ['F01', 'overlong UTF-8', named(Buffer.from([0xc0, 0xaf])), /impossible name/],
  // .git and .bk (S02, S05)
  ['CVE-2014-9390, S05', '.git', named('.git', FOLDER), /canonical/],
  ['CVE-2014-9390', '.GIT', named('.GIT', FOLDER), /canonical/],
  ['CVE-2014-9390', '.g\\u200cit', named('.g\u200cit', FOLDER), /canonical/],
  ['CVE-2019-1352', 'git~1', named('git~1', FOLDER), /canonical/],
  ['CVE-2019-1352', '.git::$INDEX_ALLOCATION', named('.git::$INDEX_ALLOCATION', FOLDER), /canonical/],
  ['CVE-2018-11235', '.gitmodules', named('.gitmodules'), /canonical/],
  ['S02', '.bk', named('.bk', FOLDER), /keeps for itself/],
  ['S02', '.BK', named('.BK', FOLDER), /keeps for itself/],
  ['S02', '.bk with a space behind', named('.bk '), /keeps for itself/],
  ['S02', '.bk with a dot behind', named('.bk.'), /keeps for itself/],
  ['S02', 'BK~1', named('BK~1'), /keeps for itself/],
  ['S02', '.b\\u200ck', named('.b\u200ck'), /keeps for itself/],
  ['S02', '.bk::$INDEX_ALLOCATION', named('.bk::$INDEX_ALLOCATION'), /keeps for itself/],
  ['S02', 'full-width .bk', named('\uff0e\uff42\uff4b'), /keeps for itself/],
  ['S02', '.bk spelled with escapes', named('%2Ebk'), /canonical/],
  ['SPEC 2.1', '.bkdir as a folder', named('.bkdir', FOLDER), /canonical/],
  ['SPEC 2.1', '.BKDIR', named('.BKDIR'), /canonical/],
  // trees (S03, S06)
  [
    'S06',
    'a name twice',
    treeOf((f) => f.tree([FILE, 'a', f.record()], [FILE, 'a', f.record()])),
    /not in order/,
  ],
  [
    'S06',
    'unsorted',
    treeOf((f) => f.tree([FILE, 'b', f.record()], [FILE, 'a', f.record()])),
    /not in order/,
  ],
  [
    'CVE-2026-71556, S03, S06',
    'a link and a folder of one name',
    treeOf((f) => f.tree([FILE, 'x', f.add('blob', LINK)], [FOLDER, 'x', f.tree([FILE, 'y', f.record()])])),
    /twice/,
  ],
  [
    'CVE-2021-32803, S03',
    'a link and a folder of one name, with others between them',
    treeOf((f) =>
      f.tree(
        [FILE, 'x', f.add('blob', LINK)],
        [FILE, 'x.a', f.record()],
        [FOLDER, 'x', f.tree([FILE, 'y', f.record()])],
      ),
    ),
    /twice/,
  ],
  [
    'CVE-2024-32002, S03',
    'a symlink of git',
    treeOf((f) => f.tree(['120000', 'a', f.record()])),
    /mode "120000"/,
  ],
  ['CVE-2018-17456', 'a submodule', treeOf((f) => f.tree(['160000', 'a', NOWHERE])), /mode "160000"/],
  ['t1450', 'an executable', treeOf((f) => f.tree(['100755', 'a', f.record()])), /mode "100755"/],
  [
    't1450',
    'a mode with a zero before it',
    treeOf((f) => f.tree(['040000', 'a', f.tree([FILE, 'b', f.record()])])),
    /mode "040000"/,
  ],
  ['t1450', 'a torn tree', treeOf((f) => f.add('tree', Buffer.from('100644 a\x00123'))), /torn/],
  ['t1450', 'an empty folder', treeOf((f) => f.tree([FOLDER, 'a', f.tree()])), /nothing in it/],
  [
    'S06',
    'a file that is a tree',
    treeOf((f) => f.tree([FILE, 'a', f.tree([FILE, 'b', f.record()])])),
    /no record/,
  ],
  ['S06', 'a folder that is a record', treeOf((f) => f.tree([FOLDER, 'a', f.record()])), /no tree/],
  ['S15', 'trees that share: 2^40 paths', sharing(20, 4), /more than 50000000 files/],
  ['CVE-2023-49568, S15', 'trees that share: 100^8 paths', sharing(8, 100), /more than 50000000 files/],
  [
    'S15',
    'many ways into a tree that is here',
    () => {
      const forge = new Forge();
      const names = Array.from({ length: 200 }, (_, n) => String(n).padStart(3, '0'));
      const one = forge.tree(...names.map((name) => [FOLDER, name, here.tree] as const));
      const tip = forge.commit(forge.tree([FOLDER, 'x', one]), [here.commit]);
      return { ...main(forge, tip), limits: { paths: 500 } };
    },
    /more than 500 files/,
  ],
  ['F08, S15', '5,000 folders in one another', deep(5_000), /deep in one another/],
  // records (S14)
  ['S14', 'no JSON', recorded('x'), /not JSON/],
  ['S14', 'an empty record', recorded(''), /not JSON/],
  ['S14', '__proto__', recorded(RECORD.replace('"blake3"', '"__proto__": {},\n "blake3"')), /record/],
  ['S14', 'a key twice', recorded(RECORD.replace(' "v": 1', ' "v": 1,\n "v": 1')), /canonical/],
  ['S14', '1e400', recorded(RECORD.replace('"size": 1', '"size": 1e400')), /record/],
  ['T14', 'a size of 2^53', recorded(RECORD.replace('"size": 1', '"size": 9007199254740992')), /size/],
  [
    'S14',
    'half a surrogate pair',
    recorded(RECORD.replace(' "blake3"', ' "attrs": {\n  "title": "\\ud800"\n },\n "blake3"')),
    /surrogate/,
  ],
  [
    'S14',
    'bytes that are no UTF-8',
    recorded(Buffer.from(rec({ attrs: { title: 'QQ' } }).replace('QQ', '\u00ff'), 'latin1')),
    /UTF-8/,
  ],
  ['S14', 'depth 10,000', recorded(`{\n "a": ${'['.repeat(10_000)}${']'.repeat(10_000)}\n}\n`), /record/],
  ['S14', '2 MiB of text', recorded(rec({ attrs: { title: 'x'.repeat(2 << 20) } })), /too long/],
  ['S14', 'another spelling', recorded(`${RECORD} `), /canonical/],
  ['S14', 'CRLF', recorded(RECORD.replaceAll('\n', '\r\n')), /canonical/],
  ['S14', 'no id', recorded(RECORD.replace(/ "id": .*\n/, '')), /id is missing/],
  [
    'S18',
    'a hash in capitals',
    recorded(RECORD.replace(/[0-9a-f]{64}/, (hash) => hash.toUpperCase())),
    /hash/,
  ],
  ['S14', 'a version of tomorrow', recorded(RECORD.replace('"v": 1', '"v": 2')), /version 2/],
  ['S14', 'a type that is none', recorded(rec({ type: 'device' })), /type "device"/],
  ['S11', 'a mode with more than permissions', recorded(rec({ mode: '104755' })), /mode/],
  [
    'S14',
    'a target longer than it says',
    recorded(rec({ type: 'symlink', size: 1, target: '/tmp' })),
    /target/,
  ],
  [
    'SPEC 2.1',
    'a folder record under a name of a file',
    recorded(rec({ type: 'dir', blake3: undefined, size: undefined, mtime: undefined })),
    /another type/,
  ],
  ['SPEC 2.1', 'a file record as .bkdir', recorded(RECORD, '.bkdir'), /another type/],
  // commits
  [
    't1450',
    'a commit without a tree',
    commitOf(() => commitText(NOWHERE).replace(/^tree .*\n/, '')),
    /lacks a tree/,
  ],
  [
    't1450',
    'no author',
    commitOf((tree) => commitText(tree).replace(/author .*\n/, '')),
    /lacks a tree, an author/,
  ],
  ['t1450', 'NUL in the message', commitOf((tree) => commitText(tree, [], 'a\0b\n')), /not spelled/],
  [
    't1450',
    'a time with a zero before it',
    commitOf((tree) => commitText(tree).replaceAll(' 18', ' 018')),
    /not spelled/,
  ],
  [
    't1450',
    'a time beyond all numbers',
    commitOf((tree) => commitText(tree).replaceAll('1800000000', '9'.repeat(30))),
    /cannot be read/,
  ],
  [
    't1450',
    'an author of two lines',
    commitOf((tree) => commitText(tree).replace('author Ann', 'author Ann\nparent x')),
    /./,
  ],
  [
    'CVE-2025-48384',
    'a carriage return in a header',
    commitOf((tree) => commitText(tree).replace(/\nauthor/, '\r\nauthor')),
    /./,
  ],
  [
    'SPEC 2.1',
    'a header that bk does not write',
    commitOf((tree) => commitText(tree).replace('\n\n', '\ngpgsig x\n\n')),
    /not spelled/,
  ],
  [
    't1450',
    'its tree is a record',
    () => {
      const forge = new Forge();
      return main(forge, forge.commit(forge.record()));
    },
    /no tree/,
  ],
  [
    't1450',
    'its parent is a tree',
    () => {
      const forge = new Forge();
      const tree = forge.tree([FILE, 'a', forge.record()]);
      return main(forge, forge.commit(tree, [tree]));
    },
    /no commit/,
  ],
  [
    'S01',
    'one parent twice',
    () => {
      const forge = new Forge();
      return main(forge, forge.commit(forge.tree([FILE, 'a', forge.record()]), [here.commit, here.commit]));
    },
    /twice/,
  ],
  [
    'S15',
    '100 parents',
    () => {
      const forge = new Forge();
      const tree = forge.tree([FILE, 'a', forge.record()]);
      const parents = Array.from({ length: 100 }, (_, n) => forge.commit(tree, [], `${n}\n`));
      return main(forge, forge.commit(tree, parents));
    },
    /100 parents/,
  ],
  // connection
  [
    't5303',
    'a parent that is nowhere',
    () => {
      const forge = new Forge();
      return main(forge, forge.commit(forge.tree([FILE, 'a', forge.record()]), [NOWHERE]));
    },
    /was not sent, and is not here/,
  ],
  ['t5303', 'a tree that is nowhere', treeOf((f) => f.tree([FOLDER, 'a', NOWHERE])), /was not sent/],
  ['t5303', 'a record that is nowhere', treeOf((f) => f.tree([FILE, 'a', NOWHERE])), /was not sent/],
  [
    't5303',
    'a tip that is nowhere',
    () => ({ pack: packOf([]), tips: [{ name: MAIN, id: NOWHERE }] }),
    /was not sent/,
  ],
  [
    't5303',
    'a tip that is a tree',
    () => {
      const forge = new Forge();
      return main(forge, forge.tree([FILE, 'a', forge.record()]));
    },
    /no commit/,
  ],
  ['S19', 'a tree of ours in place of a record', treeOf((f) => f.tree([FILE, 'a', here.tree])), /./],
  ['S19', 'a record of ours in place of a tree', treeOf((f) => f.tree([FOLDER, 'a', here.record])), /./],
  [
    'S19',
    'a presence of ours in place of a folder',
    treeOf((f) => f.tree([FOLDER, 'a', here.presenceTree])),
    /no folder/,
  ],
  [
    'S19',
    'a presence of ours as parent',
    () => {
      const forge = new Forge();
      return main(forge, forge.commit(forge.tree([FILE, 'a', forge.record()]), [here.presence]));
    },
    /does not belong/,
  ],
  [
    'S15',
    'more than was asked for',
    entries((all) => [...all, entry('blob', Buffer.from(rec({ size: 7 })))]),
    /nothing in it refers/,
  ],
  [
    'S16',
    'a tag',
    entries((all) => [...all, entry('tag', Buffer.from('x'))]),
    /kind that a history does not have/,
  ],
  // presence
  [
    'SPEC 2.1',
    'a presence of another repository',
    presence((f) => f.tree([FILE, 'repository.json', about(f, OTHER.replace('9', '8'))])),
    /speaks for/,
  ],
  [
    'SPEC 2.1',
    'a presence without repository.json',
    presence((f) => f.tree([FOLDER, 'present', f.tree([FILE, 'a', f.record()])])),
    /without repository.json/,
  ],
  [
    'SPEC 2.1',
    'something else in a presence',
    presence((f) => f.tree([FILE, 'hooks', f.record()], [FILE, 'repository.json', about(f)])),
    /does not belong/,
  ],
  [
    'CVE-2024-32004, S08',
    'a hook below a presence',
    presence((f) =>
      f.tree(
        [FOLDER, 'present', f.tree([FILE, 'a', f.add('blob', '#!/bin/sh\n')])],
        [FILE, 'repository.json', about(f)],
      ),
    ),
    /not JSON/,
  ],
  [
    'S14',
    'a repository.json that is not canonical',
    presence((f) => f.tree([FILE, 'repository.json', f.add('blob', `{"id":"${OTHER}"}`)])),
    /canonical/,
  ],
  [
    'SPEC 2.1',
    'a presence with two parents',
    presence(
      (f) => f.tree([FILE, 'repository.json', about(f)]),
      () => [here.presence, here.commit],
    ),
    /2 parents/,
  ],
  [
    'SPEC 2.1',
    'a presence on a history',
    presence(
      (f) => f.tree([FILE, 'repository.json', about(f)]),
      () => [here.commit],
    ),
    /does not belong/,
  ],
  // the pack itself (S15, t5303)
  ['T03', 'cut off', bytes((pack) => pack.subarray(0, pack.length - 30)), /cut off, or changed/],
  ['T03', 'a bit flipped', bytes((pack) => flipped(pack, 40)), /cut off, or changed/],
  ['T10', 'nothing', bytes(() => Buffer.alloc(0)), /cut off/],
  ['T10', 'noise before it', bytes((pack) => Buffer.concat([Buffer.from('Welcome!\n'), pack])), /no pack/],
  [
    'T03',
    'extra bytes behind it',
    bytes((pack) => Buffer.concat([pack, Buffer.from('x')])),
    /cut off, or changed/,
  ],
  [
    't5303',
    'extra bytes before the checksum',
    bytes((pack) => sealed(Buffer.concat([pack.subarray(0, -20), Buffer.alloc(9)]))),
    /behind its last object/,
  ],
  [
    't5303',
    'version 3',
    bytes((pack) => sealed(Buffer.concat([Buffer.from('PACK\0\0\0\x03', 'latin1'), pack.subarray(8, -20)]))),
    /version 2/,
  ],
  ['T14', 'a count of 2^32', bytes((pack) => counted(pack, 0xffffffff)), /claims 4294967295 objects/],
  ['T14', 'a count of 10,000,000', bytes((pack) => counted(pack, 10_000_000)), /more than it can hold/],
  ['t5303', 'a count too small', bytes((pack) => counted(pack, 2)), /behind its last object/],
  ['t5303', 'a count too large', bytes((pack) => counted(pack, 4)), /./],
  [
    'T14',
    'a pack that is too large',
    () => ({ ...bytes((pack) => pack)(), limits: { pack: 100 } }),
    /more than 100 bytes/,
  ],
  [
    'S15',
    'an object of 400 GB',
    entries((all) => [{ ...all[0]!, size: 400 * 2 ** 30 }, ...all.slice(1)]),
    /too large/,
  ],
  [
    'S15',
    'a record of 100 MB',
    entries((all) => [entry('blob', Buffer.alloc(100 << 20)), ...all]),
    /blob claims/,
  ],
  [
    'S15',
    'a commit of 20 MB',
    entries((all) => [entry('commit', Buffer.alloc(20 << 20)), ...all]),
    /commit claims/,
  ],
  [
    'S15',
    'zlib 1000:1, many times',
    entries(
      (all) => [
        ...Array.from({ length: 100 }, (_, n) => entry('blob', Buffer.alloc(3 << 20, `${n} `))),
        ...all,
      ],
      { expanded: 64 << 20, expansion: 100 },
    ),
    /out of all proportion/,
  ],
  [
    't5303',
    'a size that is too small',
    entries((all) => [{ ...all[0]!, size: all[0]!.size - 1 }, ...all.slice(1)]),
    /compressed data|size/,
  ],
  [
    't5303',
    'a size that is too large',
    entries((all) => [{ ...all[0]!, size: all[0]!.size + 1 }, ...all.slice(1)]),
    /size|cut off/,
  ],
  [
    't5303',
    'data that are no zlib stream',
    entries((all) => [{ ...all[0]!, data: Buffer.alloc(200, 7) }, ...all.slice(1)]),
    /cannot be read/,
  ],
  [
    't5303',
    'a wrong zlib checksum',
    entries((all) => [{ ...all[0]!, data: flipped(all[0]!.data, all[0]!.data.length - 1) }, ...all.slice(1)]),
    /cannot be read/,
  ],
  [
    't5303',
    'a stored block with a wrong checksum',
    entries((all) => {
      const data = zlib.deflateSync(Buffer.from(RECORD), { level: 0 });
      return [{ type: 3, size: RECORD.length, data: flipped(data, data.length - 1) }, ...all];
    }),
    /cannot be read/,
  ],
  ['t5303', 'an object twice', entries((all) => [...all, all[0]!]), /twice/],
  ['t5303', 'an unknown kind', entries((all) => [{ ...all[0]!, type: 5 }, ...all.slice(1)]), /kind/],
  ['t5303', 'kind 0', entries((all) => [{ ...all[0]!, type: 0 }, ...all.slice(1)]), /kind/],
  // deltas
  [
    't5303',
    'a delta on nothing',
    entries((all) => [...all, idDelta(NOWHERE, appending(Buffer.alloc(9), Buffer.from('x')))]),
    /base of a delta is not in it/,
  ],
  [
    't5303',
    'a delta on itself',
    entries((all) => [...all, offsetDelta(0, appending(Buffer.alloc(9), Buffer.from('x')))]),
    /base of a delta/,
  ],
  [
    't5303',
    'a delta before the pack',
    entries((all) => [...all, offsetDelta(100_000, appending(Buffer.alloc(9), Buffer.from('x')))]),
    /base of a delta/,
  ],
  [
    't5303',
    'a delta into the middle of an object',
    entries((all) => [
      ...all,
      offsetDelta(lengthOf(all.at(-1)!) - 1, appending(Buffer.alloc(9), Buffer.from('x'))),
    ]),
    /base of a delta/,
  ],
  [
    't5303',
    'two deltas on each other',
    entries((all) => [
      ...all,
      idDelta('2'.repeat(40) as GitId, Buffer.from([1, 1, 1, 1])),
      idDelta('3'.repeat(40) as GitId, Buffer.from([1, 1, 1, 1])),
    ]),
    /base of a delta is not in it/,
  ],
  [
    'CVE-2022-41903',
    'a delta that copies from outside',
    entries((all) => [...all, offsetDelta(lengthOf(all.at(-1)!), Buffer.from([3, 3, 0x91, 200, 3]))]),
    /does not fit/,
  ],
  [
    'S15',
    'a delta to 100 GB',
    entries((all) => [
      ...all,
      offsetDelta(
        lengthOf(all.at(-1)!),
        Buffer.concat([number(240), number(100 * 2 ** 30), Buffer.from([1, 65])]),
      ),
    ]),
    /delta claims/,
  ],
  [
    'S15',
    'deltas to 128 MiB, many times',
    entries((all) => {
      const base = entry('tree', Buffer.alloc(1 << 20));
      const huge = Array.from({ length: 20 }, (_, n) =>
        idDelta(nameOf('tree', Buffer.alloc(1 << 20)), growing(1 << 20, 127 << 20, n)),
      );
      return [base, ...huge, ...all];
    }),
    /./,
  ],
  ['S15', 'a chain of 10,000 deltas', () => ({ pack: packOf(chain(10_000)), tips: [] }), /too deep/],
  [
    'S15',
    'a chain one too long',
    () => ({ pack: packOf(chain(6)), tips: [], limits: { deltaDepth: 5 } }),
    /too deep/,
  ],
  [
    't5303',
    'a header that never ends',
    entries((all) => [...all, { type: 3, size: 0, data: Buffer.alloc(60, 0xff) }]),
    /./,
  ],
  [
    't5303',
    'only headers',
    () => ({
      pack: packOf([], {
        count: 3,
        extra: Buffer.concat([headerOf({ type: 3, size: 40 }), Buffer.alloc(30)]),
      }),
      tips: [],
    }),
    /./,
  ],
];

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 1;
  return copy;
}

function counted(pack: Buffer, count: number): Buffer {
  const body = Buffer.from(pack.subarray(0, -20));
  body.writeUInt32BE(count, 8);
  return sealed(body);
}

/** A delta that copies the same MiB again and again. */
function growing(base: number, size: number, seed: number): Buffer {
  const copies = Array.from({ length: Math.floor((size - 1) / 0xffffff) + 1 }, () => [
    0xf0, 0, 0, 0x10,
  ]).flat();
  return Buffer.concat([number(base), number(size), Buffer.from([1, seed]), Buffer.from(copies)]);
}

function leftovers(): { packs: string[]; staged: string[] } {
  return {
    packs: fs.readdirSync(path.join(here.dir, 'objects/pack')).sort(),
    staged: fs.readdirSync(here.staging),
  };
}

describe('a forged history', () => {
  test('is a list long enough', () => {
    expect(CASES.length).toBeGreaterThanOrEqual(40);
    expect(new Set(CASES.map(([, what]) => what)).size).toBe(CASES.length);
  });

  test.each(CASES)('%s: %s is refused, and nothing of it stays', async (_mirrors, _what, make, told) => {
    const before = leftovers();
    const sent = make();
    const start = performance.now();
    const error: unknown = await receive(sent).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(BkError);
    expect(error).toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/^cannot take the history that was sent: /),
    });
    expect((error as BkError).message).toMatch(told);
    expect(performance.now() - start).toBeLessThan(10_000);
    expect(leftovers()).toEqual(before);
    expect(git('fsck', '--strict', '--no-dangling')).toBe('');
  });
});

describe('a right history', () => {
  test('enters whole: new and old objects, deltas of both kinds, a presence', async () => {
    const forge = new Forge();
    const base = formatRecord(forge.rec());
    const first = forge.add('blob', base);
    const changed = rec({ size: 9 });
    const link = forge.add('blob', LINK);
    const dir = forge.add('blob', rec({ type: 'dir', blake3: undefined, size: undefined, mtime: undefined }));
    const delta = Buffer.concat([number(base.length), number(changed.length), ...inserts(changed)]);
    forge.entries.push(idDelta(first, delta));
    const second = nameOf('blob', Buffer.from(changed));
    const tree = forge.tree(
      [FILE, '%2Egit', link],
      [FILE, '.bkdir', dir],
      [FILE, 'b.x', first],
      [FOLDER, 'b', here.tree],
      [FILE, 'ä', second],
      [FILE, 'ö', here.record],
    );
    const tip = forge.commit(tree, [here.commit]);
    const there = forge.commit(
      forge.tree([FOLDER, 'present', tree], [FILE, 'repository.json', about(forge)]),
      [here.presence],
    );
    // `about` is here already, and comes again: that is no harm.
    const done = await receive({
      pack: packOf(forge.entries),
      tips: [
        { name: MAIN, id: tip },
        { name: PRESENCE, id: there },
      ],
    });
    expect(done.objects).toBe(forge.entries.length);
    git('update-ref', MAIN, tip);
    git('update-ref', PRESENCE, there);
    expect(git('fsck', '--strict', '--no-dangling')).toBe('');
    expect(git('verify-pack', path.join(here.dir, 'objects/pack', `${done.pack}.idx`))).toBe('');
    expect(reader.readTree(tree)).toHaveLength(6);
    expect(leftovers().staged).toEqual([]);
    const again = await receive({
      pack: packOf(forge.entries),
      tips: [
        { name: MAIN, id: tip },
        { name: PRESENCE, id: there },
      ],
    });
    expect(again.pack).toBe(done.pack);
    expect(await receive({ pack: packOf([]), tips: [{ name: MAIN, id: tip }] })).toEqual({ objects: 0 });
  });

  test('folders 2,000 deep and chains of 200 deltas are taken', async () => {
    const sent = deep(2_000)();
    await receive(sent);
    expect(reader.readCommit(sent.tips[0]!.id).tree).toMatch(/^[0-9a-f]{40}$/);
  });

  test('any change of its bytes, with a right checksum or not, is refused or harmless', async () => {
    const forge = new Forge();
    const tree = forge.tree(
      [FILE, 'a', forge.record()],
      [FOLDER, 'b', forge.tree([FILE, 'c', forge.record()])],
    );
    const tip = forge.commit(tree, [here.commit]);
    const whole = packOf(forge.entries);
    const known = fs.readdirSync(path.join(here.dir, 'objects/pack')).length;
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        async (at, bits, seal) => {
          const broken = Buffer.from(whole);
          broken[at]! ^= bits;
          const pack = seal ? sealed(broken.subarray(0, -20)) : broken;
          const error: unknown = await receive({ pack, tips: [{ name: MAIN, id: tip }] }).then(
            () => undefined,
            (reason: unknown) => reason,
          );
          if (error !== undefined) expect(error).toMatchObject({ code: 'refused' });
          else expect(pack.subarray(12, -20).equals(whole.subarray(12, -20)) || reader.has(tip)).toBe(true);
          expect(fs.readdirSync(here.staging)).toEqual([]);
        },
      ),
      { numRuns: 1_000 },
    );
    expect(fs.readdirSync(path.join(here.dir, 'objects/pack')).length - known).toBeLessThanOrEqual(40);
    expect(git('fsck', '--strict', '--no-dangling')).toBe('');
  });
});

function inserts(text: string): Buffer[] {
  const bytes = Buffer.from(text);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 100) {
    const part = bytes.subarray(at, at + 100);
    parts.push(Buffer.from([part.length]), part);
  }
  return parts;
}

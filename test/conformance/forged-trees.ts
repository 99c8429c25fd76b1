import type { GitId } from '@bk/core';
import { commitText, Forge, packOf } from './forge.ts';
import {
  about,
  deep,
  FILE,
  FOLDER,
  type Forged,
  here,
  LINK,
  MAIN,
  main,
  NOWHERE,
  OTHER,
  PRESENCE,
  RECORD,
  rec,
  type Sent,
  treeOf,
} from './hostile-history.ts';

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

/** Names, trees, records, commits, what they refer to, and presences. */
export const FORGED_TREES: readonly Forged[] = [
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
];

import { isUtf8 } from 'node:buffer';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import {
  BkError,
  formatRecord,
  formatRepositoryFacts,
  type GitId,
  parseRecord,
  parseRepositoryFacts,
  repoPath,
  type Step,
} from '@bk/core';
import { parseAddress } from '@bk/remote';
import {
  type Config,
  Journal,
  newTransactionId,
  PACK_LIMITS,
  pendingTransactions,
  readConfig,
  writeConfig,
} from '@bk/store';
import { expect, test } from 'vitest';
import { randomFrom } from '../../fixtures/random.ts';
import { readAdvertisement } from '../../packages/remote/git-host/advertisement.ts';
import { formatCommit, parseCommit } from '../../packages/store/history/commit-object.ts';
import { applyDelta } from '../../packages/store/history/delta.ts';
import { readLoose } from '../../packages/store/history/loose.ts';
import { PackIndex } from '../../packages/store/history/pack-index.ts';
import { scanPack } from '../../packages/store/history/pack-scan.ts';
import { PackWindows } from '../../packages/store/history/pack-windows.ts';
import { parseTree, treeBound, writeTree } from '../../packages/store/history/tree-object.ts';
import { inspectObject } from '../../packages/store/history/vetting.ts';
import { mutated } from '../support/mutations.ts';
import { fastFolder } from '../support/temporary.ts';
import {
  appending,
  commitText,
  entry,
  Forge,
  factsOf,
  idDelta,
  nameOf,
  offsetDelta,
  packOf,
  sealed,
} from './forge.ts';
import { lines, V2 } from './hostile-answers.ts';

/**
 * Parsers of what others may have written, with damaged inputs: each is refused with one of bk's own errors, or read as
 * something that is written back as it was. `BK_FUZZ_RUNS=1000000` for all that one evening finds; `BK_FUZZ_SEED`.
 */
const RUNS = Number(process.env['BK_FUZZ_RUNS'] ?? 60_000);
const SEED = Number(process.env['BK_FUZZ_SEED'] ?? 1);

interface Parser {
  readonly name: string;
  /** Its part of the runs. */
  readonly share: number;
  readonly corpus: readonly Buffer[];
  /** Codes of its refusals; anything else that is thrown is a finding. */
  readonly refuses: readonly string[];
  /** @throws what the parser throws; an Error if what was read is not what was written */
  read(input: Buffer): unknown;
  /** After the damage: a checksum made right again, so that what is behind it is reached. */
  readonly seal?: (input: Buffer) => Buffer;
}

const dir = fastFolder('bk-fuzz-');
const OTHER = '0190a1b2-c3d4-7e5f-8a6b-999999999999';
const ID = '1'.repeat(40) as GitId;

function same(text: string, again: string): void {
  if (text !== again) throw new Error(`written back as ${JSON.stringify(again)}`);
}

function texts(...all: readonly string[]): Buffer[] {
  return all.map((text) => Buffer.from(text));
}

/** Like the callers: what is no UTF-8 never gets to a parser of text. */
function utf8(input: Buffer): string {
  if (!isUtf8(input)) throw new BkError('damaged', 'no UTF-8');
  return input.toString();
}

function forged(): Forge {
  const forge = new Forge();
  const record = forge.record();
  const tree = forge.tree(
    ['100644', 'a', record],
    ['40000', 'b', forge.tree(['100644', 'c', forge.record()])],
  );
  forge.commit(tree);
  return forge;
}

function records(): Buffer[] {
  const forge = new Forge();
  const attrs = { people: ['Ann', 'Ben'], title: 'x\ny', rating: 5 };
  const media = { kind: 'image', width: 100, gps: { latitude: 47.1234567, longitude: -8.5 } };
  return [
    {},
    { mode: '0755', attrs, media },
    { type: 'symlink', size: 4, target: '/tmp' },
    { conflict: { kind: 'content', versions: [{ path: 'a', blake3: 'ab'.repeat(32) }] } },
    { was: [forge.rec().id], linked: forge.rec().id },
  ].map((more) => Buffer.from(formatRecord(forge.rec(more as object))));
}

function treeParser(): Parser {
  const bodies = forged()
    .entries.filter(({ type }) => type === 2)
    .map(({ data }) => zlib.inflateSync(data));
  return {
    name: 'tree',
    share: 12,
    corpus: bodies,
    refuses: ['damaged'],
    read(input) {
      const entries = parseTree(input);
      const body = Buffer.alloc(treeBound(entries));
      same(input.toString('hex'), body.toString('hex', 0, writeTree(entries, body, 0)));
      inspectObject({ kind: 'tree', id: ID, data: input });
    },
  };
}

/** As it comes: the checksum at the end was compared while it was staged, so the damage is behind it. */
function packParser(): Parser {
  const forge = forged();
  const base = Buffer.from(formatRecord(forge.rec()));
  const first = entry('blob', base);
  const delta = appending(base, Buffer.from('x'));
  const chained = packOf([
    first,
    offsetDelta(lengthOfEntry(first), delta),
    idDelta(nameOf('blob', base), appending(base, Buffer.from('y'))),
  ]);
  const file = path.join(dir, 'pack');
  const windows = new PackWindows();
  let key = 0;
  return {
    name: 'pack',
    share: 1,
    corpus: [packOf(forge.entries), chained],
    refuses: ['damaged', 'refused'],
    seal: (input) => sealed(input.subarray(0, Math.max(12, input.length - 20))),
    read(input) {
      fs.writeFileSync(file, input);
      const limits = { ...PACK_LIMITS, pack: 1 << 20, objects: 1_000, expanded: 1 << 20 };
      try {
        if (input.length < 32) throw new BkError('refused', 'too short');
        return scanPack(
          windows,
          { key: key++, file, size: -1 },
          {
            limits,
            checksum: input.subarray(-20),
            visit: inspectObject,
          },
        ).count;
      } finally {
        windows.close();
      }
    },
  };
}

function lengthOfEntry(one: ReturnType<typeof entry>): number {
  return packOf([one]).length - 32;
}

function indexParser(): Parser {
  const file = path.join(dir, 'indexed');
  fs.writeFileSync(file, packOf(forged().entries));
  const windows = new PackWindows();
  const { index } = scanPack(
    windows,
    { key: 0, file, size: -1 },
    {
      limits: PACK_LIMITS,
      checksum: fs.readFileSync(file).subarray(-20),
      visit: inspectObject,
    },
  );
  windows.close();
  const wanted = Buffer.alloc(20);
  return {
    name: 'pack index',
    share: 12,
    corpus: [index],
    refuses: ['damaged'],
    read(input) {
      const read = new PackIndex(input);
      wanted[0] = input[9] ?? 0;
      read.find(wanted);
      for (let row = 0; row < Math.min(read.count, 8); row++) {
        read.offsetAt(row);
        read.withPrefix(read.idAt(row).slice(0, 4));
      }
    },
  };
}

function looseParser(): Parser {
  const objects = path.join(dir, 'loose/objects/11');
  fs.mkdirSync(objects, { recursive: true });
  const file = path.join(objects, ID.slice(2));
  return {
    name: 'loose object',
    share: 1,
    corpus: texts('blob 3\0abc', `commit ${commitText(ID).length}\0${commitText(ID)}`, 'tree 0\0'),
    refuses: ['damaged'],
    // The damage is behind the compression, but for some that are not compressed at all.
    seal: (input) => (input.length % 16 === 0 ? input : zlib.deflateSync(input, { level: 1 })),
    read(input) {
      fs.writeFileSync(file, input);
      return readLoose(path.join(dir, 'loose'), ID);
    },
  };
}

function journalParser(): Parser {
  const layout = { journal: path.join(dir, 'journal') };
  const content = { source: 'safety/ab/cd', how: 'copy', blake3: 'ab'.repeat(32), size: 3 } as const;
  const expect = { is: 'entry', inode: 1n, size: 2, mtimeNs: 3n, ctimeNs: -4n } as const;
  const step = { do: 'place', path: 'a/b', expect, content, mode: 0o644, mtimeNs: 5n } as unknown as Step;
  const id = newTransactionId();
  const name = journalName(layout, step, id);
  const file = path.join(layout.journal, name);
  const whole = fs.readFileSync(file);
  return {
    name: 'journal',
    share: 1,
    corpus: [whole, Buffer.concat([whole, whole])],
    refuses: ['damaged'],
    seal: (input) => Buffer.from(resealed(input.toString())),
    read(input) {
      fs.writeFileSync(file, input);
      return pendingTransactions(layout);
    },
  };
}

function journalName(layout: { readonly journal: string }, step: Step, id: string): string {
  Journal.begin(layout, { id, verb: 'merge', placing: 'link', steps: [step] }).leave();
  return fs.readdirSync(layout.journal)[0]!;
}

/** The checksum of each line as it would have to be. */
function resealed(text: string): string {
  return text
    .split('\n')
    .map((line) => {
      const json = line.slice(9);
      return json === '' ? line : `${zlib.crc32(json).toString(16).padStart(8, '0')} ${json}`;
    })
    .join('\n');
}

function configParser(): Parser {
  const file = path.join(dir, 'config.json');
  const config: Config = {
    v: 1,
    id: OTHER,
    name: 'pictures',
    settings: { copies: '2' },
    volume: { id: 'v', inode: '12', birth: '34' },
    remotes: { disk: { address: '/mnt/disk', id: OTHER, lastSeen: '2026-01-02T03:04:05.000000006Z' } },
  };
  writeConfig(file, config);
  const corpus = [fs.readFileSync(file)];
  return {
    name: 'config',
    share: 2,
    corpus,
    refuses: ['damaged', 'refused'],
    read(input) {
      fs.writeFileSync(file, input);
      return readConfig(file);
    },
  };
}

function textParsers(): Parser[] {
  const address = [
    '/mnt/disk',
    'ssh://ann@nas:22/x',
    'nas:a b',
    'https://ann@git.example.org:8443/a/b.git',
    '[::1]:x',
  ];
  return [
    {
      name: 'record',
      share: 24,
      corpus: records(),
      refuses: ['damaged'],
      read: (input) => same(utf8(input), formatRecord(parseRecord(utf8(input)))),
    },
    {
      name: 'commit',
      share: 18,
      corpus: texts(commitText(ID), commitText(ID, [ID, '2'.repeat(40)], 'a\n\nb\n')),
      refuses: ['damaged'],
      read(input) {
        inspectObject({ kind: 'commit', id: ID, data: input });
        same(utf8(input), formatCommit(parseCommit(utf8(input), ID)));
      },
    },
    {
      name: 'repository.json',
      share: 18,
      corpus: texts(factsOf(OTHER)),
      refuses: ['damaged'],
      read(input) {
        const facts = parseRepositoryFacts(utf8(input), OTHER);
        expect(parseRepositoryFacts(formatRepositoryFacts(facts), OTHER)).toEqual(facts);
      },
    },
    {
      name: 'address',
      share: 18,
      corpus: texts(...address),
      refuses: ['usage'],
      read: (input) => parseAddress(input.toString()),
    },
    {
      name: 'path',
      share: 18,
      corpus: texts('a/b c/x.jpg', 'ä/%FF%FE', '%2Egit/config'),
      refuses: ['damaged'],
      read: (input) => same(input.toString(), repoPath(input.toString())),
    },
    {
      name: 'delta',
      share: 12,
      corpus: [appending(BASE, Buffer.from('more')), appending(BASE, Buffer.alloc(0))],
      refuses: ['damaged'],
      read: (input) => applyDelta(BASE, input),
    },
  ];
}

const BASE = Buffer.from('what both have in common, and then some');

function hostParser(): Parser {
  const refs = lines('# service=git-receive-pack\n');
  const old = `${refs}0000${lines(`${ID} refs/heads/main\0report-status side-band-64k\n`, `${ID} refs/tags/x\n`)}0000`;
  return {
    name: 'pkt-line',
    share: 9,
    corpus: texts(V2, old, `${lines(`${ID} HEAD\0a\n`, `${ID} refs/bk/repositories/${OTHER}\n`)}0000`),
    refuses: ['damaged', 'refused', 'unreachable', 'not-found'],
    read: (input) => readAdvertisement(cut(input), 'git-receive-pack'),
  };
}

/** In two pieces. */
async function* cut(input: Buffer): AsyncGenerator<Uint8Array> {
  const at = input.length >> 1;
  yield input.subarray(0, at);
  yield input.subarray(at);
}

const PARSERS: readonly Parser[] = [
  ...textParsers(),
  treeParser(),
  packParser(),
  indexParser(),
  looseParser(),
  journalParser(),
  configParser(),
  hostParser(),
];

const SHARES = PARSERS.reduce((sum, { share }) => sum + share, 0);

test.each(PARSERS.map((parser) => [parser.name, parser] as const))(
  '%s: damaged inputs are refused, or read as what they are',
  async (name, { share, corpus, refuses, read, seal = (input) => input }) => {
    for (const input of corpus) await read(seal(input));
    const runs = Math.ceil((RUNS * share) / SHARES);
    const random = randomFrom(SEED);
    let refused = 0;
    for (let run = 0; run < runs; run++) {
      const input = seal(mutated(random.pick(corpus), corpus, random));
      try {
        const said = read(input);
        if (said instanceof Promise) await said;
      } catch (error) {
        if (error instanceof BkError && refuses.includes(error.code)) refused++;
        else
          throw new Error(`${name}, run ${run} of seed ${SEED}: ${input.toString('base64')}`, {
            cause: error,
          });
      }
    }
    expect(refused).toBeGreaterThan(runs / 4);
  },
);

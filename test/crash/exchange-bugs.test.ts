import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { bk } from '../support/bk.ts';
import { CLONE, DROP, DROP_FILE, GET } from '../support/exchange-scenarios.ts';
import { type Hunt, killing, plainly, stageFor } from '../support/hunts.ts';
import { needsVolumes } from '../support/mounts.ts';
import { deletedBy } from '../support/oracle.ts';
import type { Scenario } from '../support/scenarios.ts';
import { NONE, programWith, type SeededBug, someOf } from '../support/seeded.ts';

/** The mutation check of RELIABILITY 4.3 for commands between repositories, see seeded-bugs.test.ts. */
interface Seeded extends SeededBug {
  readonly scenario: Scenario;
  readonly hunt: Hunt;
}

const PHOTO = 'photos/2019/img_1.jpg';

/** The other repository lost its photos, and nobody has noticed: those here are the last ones. */
const lastCopies: Hunt = (stage) => {
  stage.resetWith(([, other = '']) => {
    fs.rmSync(path.join(other, 'photos'), { recursive: true });
    fs.rmSync(path.join(other, '.bk/safety'), { recursive: true });
  });
  stage.undisturbed();
  return stage.losses(true).filter((what) => what.startsWith('O1'));
};

/** Somebody adds a file to a folder of which something is absent. */
const afterAnEdit: Hunt = (stage, program) => {
  stage.reset();
  stage.undisturbed();
  fs.writeFileSync(path.join(stage.root, 'notes/added.txt'), 'added\n');
  const answer = bk(['-C', stage.root, 'status'], { program });
  return deletedBy(answer).map((at) => `O1: status says that ${at} was deleted`);
};

/** A file of the repository that gives rotted: its bytes must not come under a name anywhere else. */
const rotten =
  (giver: number, taker: number): Hunt =>
  (stage) => {
    stage.resetWith((roots) => {
      const file = path.join(roots[giver] ?? '', PHOTO);
      const { atime, mtime } = fs.statSync(file);
      fs.writeFileSync(file, Buffer.alloc(fs.statSync(file).size, '!'));
      fs.utimesSync(file, atime, mtime);
    });
    stage.undisturbed();
    const there = `in repository ${taker}, `;
    return stage.losses(true).filter((what) => what.startsWith('O4') && what.includes(there) === taker > 0);
  };
const rottenSource = rotten(0, 1);
const rottenRemote = rotten(1, 0);

const BUGS: readonly Seeded[] = [
  {
    name: 'drop removes files before it marks them absent',
    wrong: [
      {
        file: 'repo/drop.ts',
        was: '    if (paths.length > 0) setAbsent(this.#repo, paths, this.#context);\n',
        is: '',
      },
      {
        file: 'repo/drop.ts',
        was: '    this.#net.makeDurable();\n',
        is: '    this.#net.makeDurable();\n    if (paths.length > 0) setAbsent(this.#repo, paths, this.#context);\n',
      },
    ],
    scenario: DROP,
    hunt: killing,
  },
  {
    name: 'drop does not wait for proof',
    wrong: [
      {
        file: 'repo/drop.ts',
        was: 'const reason = proven.refused.get(content.blake3);',
        is: 'const reason = undefined;',
      },
      { file: 'repo/drop.ts', was: 'const tooLate = proven.isTooLate();', is: 'const tooLate = false;' },
    ],
    scenario: DROP,
    hunt: lastCopies,
  },
  {
    name: 'what is absent is not said in the presence',
    wrong: [
      {
        file: 'repo/presence/absence.ts',
        was: '  const presence = publishPresent(repo, { history: repo.history, index: repo.index, put }, context);\n  repo.index.write({ put, presence });',
        is: '  void context;\n  repo.index.write({ put });',
      },
    ],
    scenario: DROP,
    hunt: plainly,
  },
  {
    name: 'clone writes config.json first',
    wrong: [
      {
        file: 'repo/clone/make.ts',
        was: '      this.#lookAgain(state, begun);\n',
        is: '      this.#lookAgain(state, begun);\n      writeConfig(layout.config, repo.config);\n',
      },
    ],
    scenario: CLONE,
    hunt: killing,
  },
  {
    name: 'clone does not compare hashes',
    wrong: [
      {
        file: 'worktree/copy.ts',
        was: 'if (read !== size || hashBytes(bytes) !== wanted.blake3) return false;',
        is: 'if (read !== size) return false;',
      },
    ],
    scenario: CLONE,
    hunt: rottenSource,
  },
  {
    name: 'absent is taken for deleted',
    wrong: [
      {
        file: 'repo/observe/survey.ts',
        was: 'if (kinds[k] !== KIND.dir && known.protections[k] !== PROTECTION.absent)',
        is: 'if (kinds[k] !== KIND.dir)',
      },
      {
        file: 'repo/observe/survey.ts',
        was: 'if (here[k] === 0 && known.listing.kinds[k] !== KIND.dir && known.protections[k] !== PROTECTION.absent)',
        is: 'if (here[k] === 0 && known.listing.kinds[k] !== KIND.dir)',
      },
      { file: 'core/evidence.ts', was: 'filter(({ absent }) => absent !== true)', is: 'filter(() => true)' },
    ],
    scenario: DROP_FILE,
    hunt: afterAnEdit,
  },
  {
    name: 'get believes what others send',
    wrong: [
      {
        file: 'remote/host-peer.ts',
        was: ' || this.#host.hashBytes(whole) !== blake3',
        is: '',
      },
      { file: 'remote/verified.ts', was: 'if (hasher.digest() !== blake3)', is: 'if (at < 0)' },
      {
        file: 'worktree/stage.ts',
        was: 'return found.hash === wanted.blake3 && found.size === wanted.size;',
        is: 'return found.size === wanted.size;',
      },
    ],
    scenario: GET,
    hunt: rottenRemote,
  },
];

describe('a seeded bug between repositories is found', () => {
  test.for(someOf(BUGS, 1))('$name', ({ scenario, hunt, ...bug }, context) => {
    needsVolumes(context);
    const program = programWith(bug);
    expect(hunt(stageFor(scenario, program), program).join('\n')).toMatch(/^O[1-8]|end:|next/m);
  });

  test.for([
    ['of last copies', DROP, lastCopies],
    ['of a folder with something absent', DROP_FILE, afterAnEdit],
    ['of a rotten source', CLONE, rottenSource],
    ['of a rotten remote', GET, rottenRemote],
  ] as const)('and nothing is found without one: %s', ([, scenario, hunt], context) => {
    needsVolumes(context);
    const program = programWith(NONE);
    expect(hunt(stageFor(scenario, program), program)).toEqual([]);
  });
});

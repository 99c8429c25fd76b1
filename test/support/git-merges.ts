import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fastFolder } from './temporary.ts';

/** Contents by path. */
export type Contents = ReadonlyMap<string, string>;

export interface ThreeTrees {
  readonly base: Contents;
  readonly sides: readonly [Contents, Contents];
}

export interface GitMerge {
  /** Without conflicts. */
  readonly isClean: boolean;
  readonly tree: string;
}

/** Merges of small trees by git itself (merge-ort, with detection of renamed folders), in one repository. */
export class GitMerges {
  readonly #root = fastFolder('bk-git-merge-');

  constructor() {
    this.#git(['init', '-q', '--bare']);
  }

  /** Undefined: git failed by an assertion of its own, as 2.39 does for some histories. */
  merge(histories: readonly ThreeTrees[]): (GitMerge | undefined)[] {
    const ids = this.#commit(
      histories.flatMap(({ base, sides: [a, b] }, i) => [
        { tree: base },
        { tree: a, parent: 3 * i },
        { tree: b, parent: 3 * i },
      ]),
    );
    const pairs = histories.map((_, i) => `${ids[3 * i + 1]} ${ids[3 * i + 2]}`);
    const merged: (GitMerge | undefined)[] = [];
    for (let i = 0; i < pairs.length; i += BATCH) {
      const batch = pairs.slice(i, i + BATCH);
      merged.push(...(this.#try(batch) ?? batch.map((pair) => this.#try([pair])?.[0])));
    }
    return merged;
  }

  /** Git's names of trees. */
  treesOf(trees: readonly Contents[]): string[] {
    const ids = this.#commit(trees.map((tree) => ({ tree })));
    const asked = ids.map((id) => `${id}^{tree}\n`).join('');
    return this.#git(['cat-file', '--batch-check=%(objectname)'], asked).trim().split('\n');
  }

  /** What a tree of git's has. */
  contentsOf(tree: string): Contents {
    const listed = this.#git(['ls-tree', '-r', '-z', tree]).split('\0').filter(Boolean);
    const entries = listed.map((line) => /^\d+ blob (\w+)\t(.*)$/s.exec(line)?.slice(1) as [string, string]);
    const contents = entries.map(([blob, file]): [string, string] => [
      file,
      this.#git(['cat-file', 'blob', blob]),
    ]);
    return new Map(contents);
  }

  /** @param commits with the number of an earlier one as parent */
  #commit(commits: readonly { readonly tree: Contents; readonly parent?: number }[]): string[] {
    const stream = commits.map(({ tree, parent }, i) =>
      commitText(tree, i + 1, parent === undefined ? undefined : parent + 1),
    );
    const marks = path.join(this.#root, 'marks');
    this.#git(['fast-import', '--quiet', '--force', `--export-marks=${marks}`], stream.join(''));
    const lines = fs.readFileSync(marks, 'utf8').trim().split('\n');
    const ids = new Map(lines.map((line) => line.slice(1).split(' ') as [string, string]));
    return commits.map((_, i) => ids.get(String(i + 1)) ?? '');
  }

  /** Undefined: the process died. */
  #try(pairs: readonly string[]): GitMerge[] | undefined {
    const options = ['-c', 'merge.renames=true', '-c', 'merge.directoryRenames=true'];
    const args = [...options, 'merge-tree', '--no-messages', '--stdin'];
    const done = this.#run(args, pairs.map((pair) => `${pair}\n`).join(''));
    return done.signal === null ? parseMerges(checked(args, done)) : undefined;
  }

  #git(args: readonly string[], input?: string): string {
    return checked(args, this.#run(args, input));
  }

  #run(args: readonly string[], input?: string): SpawnSyncReturns<string> {
    return spawnSync('git', args, {
      cwd: this.#root,
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: '/nonexistent',
        GIT_CONFIG_NOSYSTEM: '1',
        LC_ALL: 'C.UTF-8',
      },
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      ...(input === undefined ? {} : { input }),
    });
  }
}

const BATCH = 50;

function checked(args: readonly string[], done: SpawnSyncReturns<string>): string {
  if (done.error !== undefined) throw done.error;
  if (done.status !== 0) throw new Error(`git ${args.join(' ')}: exit ${done.status}: ${done.stderr}`);
  return done.stdout;
}

function commitText(tree: Contents, mark: number, parent: number | undefined): string {
  const files = [...tree].map(
    ([file, content]) => `M 100644 inline ${JSON.stringify(file)}\ndata ${content.length}\n${content}\n`,
  );
  const from = parent === undefined ? '' : `from :${parent}\n`;
  const head = `reset ${REF}\ncommit ${REF}\nmark :${mark}\ncommitter x <x> 100 +0000\ndata 0\n`;
  return `${head}${from}deleteall\n${files.join('')}\n`;
}

const REF = 'refs/heads/last';

/** For each merge: 1 if it is clean, the tree, the paths in conflict, and an end. */
function parseMerges(answer: string): GitMerge[] {
  const fields = answer.replaceAll('\n', '').split('\0');
  const merges: GitMerge[] = [];
  for (let i = 0; i + 1 < fields.length; i++) {
    merges.push({ isClean: fields[i] === '1', tree: fields[i + 1] ?? '' });
    i += 2;
    while (fields[i] !== '') i++;
  }
  return merges;
}

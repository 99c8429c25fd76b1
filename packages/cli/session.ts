import fs from 'node:fs';
import path from 'node:path';
import { BkError, type RepoPath } from '@bk/core';
import type { Context, Repository } from '@bk/repo';
import { bytesOfArgument } from './arguments.ts';
import { INTERRUPTED } from './errors.ts';
import { jsonDocument } from './json.ts';
import { writeErr, writeOut } from './output.ts';
import { type PathBase, pathArguments } from './paths.ts';
import { ProgressLine } from './progress.ts';
import { type ColorChoice, isTerminal, type Style, safe, styleFor } from './terminal.ts';

/** Options of every verb. */
export interface GlobalOptions {
  /** -C */
  readonly directory: string;
  readonly json: boolean;
  readonly quiet: boolean;
  readonly progress: boolean;
  readonly color: ColorChoice;
  readonly encoded: boolean;
}

/** What a verb of the command line works with: where it is, how it prints, and the context that it hands to repo. */
export class Session {
  readonly options: GlobalOptions;
  /** Absolute, without symbolic links. */
  readonly directory: string;
  readonly style: Style;
  readonly context: Context;
  readonly #progress: ProgressLine | undefined;
  #repository: Repository | undefined;
  #told: string | undefined;

  constructor(options: GlobalOptions) {
    this.options = options;
    this.directory = folder(options.directory);
    this.style = styleFor(1, options.color);
    const shown = options.progress && !options.quiet && !options.json && isTerminal(2);
    this.#progress = shown ? new ProgressLine(terminalPort()) : undefined;
    this.context = {
      report: this.#progress?.report ?? (() => {}),
      nowMs: () => Date.now(),
      random: (bytes) => crypto.getRandomValues(new Uint8Array(bytes)),
      ...(!options.json && isTerminal(2) && { person: { tell: (line) => this.warn(`ssh: ${safe(line)}`) } }),
    };
  }

  /** The repository around the current folder (or DIR of -C). @throws BkError `not-a-repository` … */
  async open(): Promise<Repository> {
    const { openRepository } = await import('@bk/repo');
    this.#repository ??= openRepository(this.directory);
    this.#tell();
    return this.#repository;
  }

  /** Paths of the command line as paths below the root. */
  paths(
    repository: { readonly layout: { readonly root: string } },
    list: readonly string[] | undefined,
  ): RepoPath[] {
    return pathArguments(list, this.#base(repository.layout.root));
  }

  /** One path, or undefined if none was given. */
  path(
    repository: { readonly layout: { readonly root: string } },
    argument: string | undefined,
  ): RepoPath | undefined {
    return argument === undefined ? undefined : this.paths(repository, [argument])[0];
  }

  /** @throws BkError `usage` if there are more */
  onlyOne(list: readonly string[], reason: string): void {
    if (list.length > 1) throw new BkError('usage', `too much on the command line: ${reason}`);
  }

  /** Whether there is something at a path of the command line now. */
  exists(argument: string): boolean {
    const bytes = bytesOfArgument(path.resolve(this.directory, argument));
    return fs.lstatSync(Buffer.from(bytes, 'latin1'), { throwIfNoEntry: false }) !== undefined;
  }

  /**
   * The result: with --json the document, else what `text` makes of it.
   * @param fields of the document that hold paths
   */
  result<R extends object>(
    document: R,
    text: (document: R) => string,
    fields: readonly string[] = ['path'],
  ): void {
    this.#progress?.clear();
    writeOut(this.options.json ? jsonDocument(document, fields, isTerminal(1) ? 2 : 0) : text(document));
  }

  /** Words beside the result for a person; nobody gets them with --quiet or --json. */
  note(text: string): void {
    this.#progress?.clear();
    if (!this.options.quiet && !this.options.json) writeOut(text);
  }

  /** A line on stderr. */
  warn(text: string): void {
    this.#progress?.clear();
    if (!this.options.quiet) writeErr(`${text}\n`);
  }

  /** Asks on the terminal; undefined if there is none to ask. */
  async confirm(question: string): Promise<boolean | undefined> {
    if (this.options.json || !isTerminal(0) || !isTerminal(2)) return undefined;
    this.#progress?.clear();
    const readline = await import('node:readline/promises');
    const terminal = readline.createInterface({ input: process.stdin, output: process.stderr });
    try {
      const answer = await new Promise<string>((resolve, reject) => {
        terminal.once('SIGINT', () => reject(new BkError('interrupted', INTERRUPTED)));
        terminal.once('close', () => resolve(''));
        terminal.question(`${question} [y/N] `).then(resolve, reject);
      });
      return /^y(es)?$/i.test(answer.trim());
    } finally {
      terminal.close();
    }
  }

  /** Makes room for words: the progress line goes. */
  clearLine(): void {
    this.#progress?.clear();
  }

  close(): void {
    this.clearLine();
    this.#tell();
    this.#repository?.close();
  }

  /** What the repository has to say for itself, once. */
  #tell(): void {
    const notice = this.#repository?.notice;
    if (notice === undefined || notice === this.#told) return;
    this.#told = notice;
    this.warn(`note: ${safe(notice)}`);
  }

  #base(root: string): PathBase {
    return { root, directory: this.directory, encoded: this.options.encoded };
  }
}

function folder(given: string): string {
  const dir = path.resolve(given);
  try {
    const real = fs.realpathSync.native(dir);
    if (fs.statSync(real).isDirectory()) return real;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  throw new BkError('not-found', `cannot work in ${given}: there is no such folder`, { path: given });
}

function terminalPort() {
  return { write: writeErr, now: () => performance.now(), width: () => process.stderr.columns || 80 };
}

import fs from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { BkError, type Step, type Transaction } from '@bk/core';
import { fsyncDirectory, writeFully } from './durable.ts';
import { checkedLine, type Line } from './journal-line.ts';
import { isTransactionId } from './staging.ts';

/**
 * `.bk/journal/<transaction>.jsonl`: what an interrupted command has to finish. Lines of JSON, each behind the CRC-32
 * of its text: one `begin`, one `step` each, `ready`; durable before the first change. Then notes, as the work goes on:
 * `creating` before a file is written under its final name, `done` now and then, `committed` when all that is left is
 * to clean up. Without an intact `ready` nothing was begun. A replay looks at the disk; the log only says what was meant.
 */
export interface PendingTransaction {
  readonly transaction: Transaction;
  readonly committed: boolean;
  /** Of a committed one: steps that could not be done. */
  readonly failed: readonly number[];
  /** Steps during which a partial file may stand under its final name. */
  readonly creating: ReadonlySet<number>;
}

const SUFFIX = '.jsonl';

/** An open journal; the process that holds the repository's lock writes it. */
export class Journal {
  readonly #file: string;
  readonly #fd: number;
  #open = true;

  private constructor(file: string, fd: number) {
    this.#file = file;
    this.#fd = fd;
  }

  /** Writes a transaction down, durably; nothing may be changed before this returns. */
  static begin(layout: { readonly journal: string }, transaction: Transaction): Journal {
    fs.mkdirSync(layout.journal, { recursive: true, mode: 0o700 });
    const file = path.join(layout.journal, transaction.id + SUFFIX);
    const journal = new Journal(file, fs.openSync(file, 'ax', 0o600));
    const { steps, ...begin } = transaction;
    try {
      const lines: Line[] = [
        { begin, count: steps.length },
        ...steps.map((step) => ({ step })),
        { ready: true },
      ];
      journal.#write(lines);
      fsyncDirectory(layout.journal);
      return journal;
    } catch (error) {
      fs.closeSync(journal.#fd);
      fs.rmSync(file, { force: true });
      throw error;
    }
  }

  /** Goes on with a journal that an interrupted command left. */
  static reopen(layout: { readonly journal: string }, id: string): Journal {
    const file = path.join(layout.journal, id + SUFFIX);
    return new Journal(file, fs.openSync(file, fs.constants.O_WRONLY | fs.constants.O_APPEND));
  }

  /** Before step n writes under its final name, where no link is possible. Durable. */
  creating(step: number): void {
    this.#write([{ creating: step }]);
  }

  /** So many steps are done; for people who look into it. Not durable. */
  done(steps: number): void {
    writeFully(this.#fd, Buffer.from(encode({ done: steps })));
  }

  /** All changes are made and durable, but those of steps that could not be done. */
  commit(failed: readonly number[] = []): void {
    this.#write([{ committed: true, ...(failed.length > 0 && { failed }) }]);
  }

  /** After the clean-up: the journal is gone, durably. */
  end(): void {
    this.leave();
    fs.rmSync(this.#file, { force: true });
    fsyncDirectory(path.dirname(this.#file));
  }

  /** Leaves the journal for the next command to finish. */
  leave(): void {
    if (this.#open) fs.closeSync(this.#fd);
    this.#open = false;
  }

  #write(lines: readonly Line[]): void {
    // The new line at the front ends a line that was torn.
    writeFully(this.#fd, Buffer.from(`\n${lines.map(encode).join('')}`));
    fs.fsyncSync(this.#fd);
  }
}

/**
 * Transactions that were begun and not ended, oldest id first. Journals that never became ready are removed: nothing
 * was changed on their behalf. For the holder of the repository's lock.
 * @throws BkError `damaged` if an intact journal holds what bk never writes
 */
export function pendingTransactions(layout: { readonly journal: string }): PendingTransaction[] {
  const pending: PendingTransaction[] = [];
  for (const name of journalNames(layout.journal)) {
    const file = path.join(layout.journal, name);
    const found = parse(fs.readFileSync(file, 'utf8'), name.slice(0, -SUFFIX.length));
    if (found === undefined) fs.rmSync(file, { force: true });
    else pending.push(found);
  }
  return pending;
}

/** Whether a command was interrupted; cheap, takes no lock. */
export function hasPending(layout: { readonly journal: string }): boolean {
  return journalNames(layout.journal).length > 0;
}

function journalNames(dir: string): string[] {
  try {
    const names = fs.readdirSync(dir);
    return names
      .filter((name) => name.endsWith(SUFFIX) && isTransactionId(name.slice(0, -SUFFIX.length)))
      .sort();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function parse(text: string, id: string): PendingTransaction | undefined {
  const lines = text.split('\n').map(decode);
  const steps: Step[] = [];
  const creating = new Set<number>();
  let begin: Extract<Line, { begin: unknown }> | undefined;
  let ready = false;
  let committed = false;
  let failed: readonly number[] = [];
  for (const line of lines) {
    if (line === undefined) continue;
    if ('begin' in line) begin = line;
    else if ('step' in line) steps.push(line.step);
    else if ('ready' in line) ready = begin?.begin.id === id && steps.length === begin.count;
    else if ('creating' in line) creating.add(line.creating);
    else if ('committed' in line) [committed, failed] = [true, line.failed ?? []];
  }
  if (!ready || begin === undefined) return undefined;
  return { transaction: { ...begin.begin, steps }, committed, failed, creating };
}

function encode(line: Line): string {
  const json = JSON.stringify(line, (_key, value: unknown) =>
    typeof value === 'bigint' ? { ns: String(value) } : value,
  );
  return `${checksum(json)} ${json}\n`;
}

function decode(text: string): Line | undefined {
  const json = text.slice(9);
  if (text.slice(0, 9) !== `${checksum(json)} `) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(json, (_key, one: unknown) => (isBig(one) ? BigInt(one.ns) : one));
  } catch (error) {
    throw new BkError('damaged', 'a journal has a line that is no JSON', { cause: error });
  }
  return checkedLine(value);
}

function isBig(value: unknown): value is { readonly ns: string } {
  return (
    typeof value === 'object' && value !== null && 'ns' in value && /^-?\d{1,40}$/.test(String(value.ns))
  );
}

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

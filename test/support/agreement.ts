import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { bytePath } from '../../fixtures/byte-path.ts';
import { type RecordAt, records, recordTime } from './history.ts';
import { type Snapshot, type SnapshotEntry, show, snapshot } from './snapshot.ts';

/**
 * Holds the head's records against the folder: every file and link exactly one right record, every record its file,
 * folders recorded where they must be, canonical text, ids unique. `skipped` are byte strings of what is not tracked.
 * Hashes are b3sum's if it is there. @returns what is wrong, as sentences
 */
export function wrongRecords(root: string, skipped: readonly string[] = []): string[] {
  const recorded = records(root);
  const isSkipped = (at: string) => skipped.some((one) => at === one || at.startsWith(`${one}/`));
  const tree = new Map([...snapshot(root)].filter(([at]) => !isSkipped(at)));
  const found: string[] = [];
  for (const [at, entry] of tree) {
    const is = recorded.get(entry.type === 'dir' ? `${at}/` : at);
    found.push(...(entry.type === 'dir' ? wrongFolder(at, entry, tree, is) : wrongFile(root, at, entry, is)));
  }
  for (const [at, { gitMode, text }] of recorded) {
    if (!at.endsWith('/') && !tree.has(at)) found.push(`${show(at)} is recorded and not there`);
    if (gitMode !== '100644') found.push(`${show(at)} has git mode ${gitMode}`);
    if (text !== canonical(text)) found.push(`${show(at)} has a record that is not canonical: ${text}`);
  }
  return [...found, ...twice(recorded), ...otherThanB3sum(root, recorded, isSkipped)];
}

function wrongFile(root: string, at: string, entry: SnapshotEntry, is: RecordAt | undefined): string[] {
  if (is === undefined) return [`${show(at)} (${entry.type}) has no record`];
  const { record } = is;
  const wanted: [string, unknown, unknown][] = [
    ['v', record['v'], 1],
    ['type', record.type, entry.type],
    ['blake3', record.blake3, entry.blake3],
    ['size', record.size, entry.size],
    ['mtime', record.mtime, recordTime(entry.mtimeNs)],
    ['mode', record.mode, entry.mode.toString(8).padStart(4, '0')],
  ];
  if (entry.type === 'symlink')
    wanted.push(['target', bytesOfTarget(record.target ?? '', entry.size), targetOf(root, at)]);
  return wanted
    .filter(([, got, want]) => got !== want)
    .map(([what, got, want]) => `${show(at)}: ${what} is ${got}, not ${want}`);
}

/** A target is text, or encoded like a name if it is not UTF-8: then its size is not that of the text. */
function bytesOfTarget(target: string, size: number): string {
  const bytes = Buffer.from(target).toString('latin1');
  if (bytes.length === size) return bytes;
  return bytes.replace(/%([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function targetOf(root: string, at: string): string {
  return fs.readlinkSync(bytePath(root, at), { encoding: 'buffer' }).toString('latin1');
}

function wrongFolder(at: string, entry: SnapshotEntry, tree: Snapshot, is: RecordAt | undefined): string[] {
  const isEmpty = ![...tree.keys()].some((other) => other.startsWith(`${at}/`));
  const needed = isEmpty || entry.mode !== 0o755;
  if (!needed) return is === undefined ? [] : [`${show(at)} is a plain folder and has a record`];
  if (is === undefined)
    return [`folder ${show(at)} (${isEmpty ? 'empty' : entry.mode.toString(8)}) has no record`];
  const mode = is.record.mode ?? '0755';
  const wanted = entry.mode.toString(8).padStart(4, '0');
  return is.record.type === 'dir' && mode === wanted
    ? []
    : [`folder ${show(at)}: ${is.record.type} ${mode}, not ${wanted}`];
}

/** Canonical JSON: keys sorted by their bytes, one space of indent, LF at the end. Keys here are ASCII. */
function canonical(text: string): string {
  const sorted = (value: unknown): unknown =>
    typeof value !== 'object' || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(
          Object.entries(value)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([key, inner]) => [key, sorted(inner)]),
        );
  return `${JSON.stringify(sorted(JSON.parse(text)), null, 1)}\n`;
}

function twice(recorded: ReadonlyMap<string, RecordAt>): string[] {
  const seen = new Map<string, string>();
  const found: string[] = [];
  for (const [at, { record }] of recorded) {
    const other = seen.get(record.id);
    if (record.id !== undefined && other !== undefined)
      found.push(`${show(at)} and ${show(other)} have one id`);
    seen.set(record.id, at);
  }
  return found;
}

function otherThanB3sum(
  root: string,
  recorded: ReadonlyMap<string, RecordAt>,
  isSkipped: (at: string) => boolean,
): string[] {
  let sums: string[];
  const files = [...snapshot(root)]
    .filter(([at, entry]) => entry.type === 'file' && !isSkipped(at))
    .map(([at]) => at);
  const list = Buffer.concat(files.map((at) => Buffer.concat([bytePath(root, at), Buffer.from([0])])));
  try {
    sums = execFileSync('xargs', ['-0', 'b3sum', '--no-names', '--'], { input: list, maxBuffer: 1 << 28 })
      .toString()
      .trim()
      .split('\n');
  } catch (error) {
    if ((error as { status?: number }).status === 127) return [];
    throw error;
  }
  return files
    .filter((at, i) => recorded.get(at)?.record.blake3 !== sums[i])
    .map((at) => `${show(at)}: ${recorded.get(at)?.record.blake3} is not what b3sum says`);
}

/** Object ids of the head by path. */
export function ids(root: string): Map<string, string> {
  return new Map([...records(root)].map(([at, { record }]) => [at, record.id]));
}

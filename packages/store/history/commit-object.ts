import { BkError, type GitId } from '@bk/core';

/** Who, and when: whole seconds since 1970, with the local offset east of UTC in minutes. */
export interface Signature {
  readonly name: string;
  readonly email: string;
  readonly timeSec: number;
  readonly offsetMinutes: number;
}

export interface CommitObject {
  readonly id: GitId;
  readonly tree: GitId;
  readonly parents: readonly GitId[];
  readonly author: Signature;
  readonly committer: Signature;
  /** With the trailers (core/commit.ts takes them apart). */
  readonly message: string;
}

export type CommitFields = Omit<CommitObject, 'id'>;

/** The text of a commit object, clean for `git fsck --strict`: what git cannot hold in a name or email is left out. */
export function formatCommit(fields: CommitFields): string {
  const lines = [`tree ${fields.tree}`];
  for (const parent of fields.parents) lines.push(`parent ${parent}`);
  lines.push(`author ${formatSignature(fields.author)}`, `committer ${formatSignature(fields.committer)}`);
  const message = fields.message.replaceAll('\0', '').toWellFormed();
  return `${lines.join('\n')}\n\n${message}`;
}

function formatSignature(who: Signature): string {
  const time = Math.max(0, Math.floor(who.timeSec));
  const minutes = Math.abs(Math.trunc(who.offsetMinutes));
  const hours = String(Math.floor(minutes / 60)).padStart(2, '0');
  const offset = `${who.offsetMinutes < 0 ? '-' : '+'}${hours}${String(minutes % 60).padStart(2, '0')}`;
  if (!Number.isSafeInteger(time) || offset.length !== 5)
    throw new BkError('bug', `cannot write a commit: time ${time}${offset}`);
  return `${clean(who.name) || 'unknown'} <${clean(who.email)}> ${time} ${offset}`;
}

function clean(text: string): string {
  return text
    .replace(/[\u0000-\u001f\u007f<>]/g, '')
    .toWellFormed()
    .trim();
}

/** Takes a commit's text apart; headers that bk does not write (signatures, encodings) are passed over. */
export function parseCommit(text: string, id: GitId): CommitObject {
  const end = text.indexOf('\n\n');
  const headers = (end < 0 ? text : text.slice(0, end)).split('\n');
  const parents: GitId[] = [];
  let tree: GitId | undefined;
  let author: Signature | undefined;
  let committer: Signature | undefined;
  for (const header of headers) {
    const space = header.indexOf(' ');
    const value = header.slice(space + 1);
    const key = space > 0 ? header.slice(0, space) : '';
    if (key === 'tree') tree = parseId(value);
    else if (key === 'parent') parents.push(parseId(value));
    else if (key === 'author') author = parseSignature(value);
    else if (key === 'committer') committer = parseSignature(value);
  }
  if (tree === undefined || author === undefined || committer === undefined) {
    throw new BkError('damaged', 'the commit lacks a tree, an author or a committer');
  }
  return { id, tree, parents, author, committer, message: end < 0 ? '' : text.slice(end + 2) };
}

function parseId(text: string): GitId {
  if (!/^[0-9a-f]{40}$/.test(text)) throw new BkError('damaged', 'the commit names an object by no id');
  return text as GitId;
}

const SIGNATURE = /^([^<>]*)<([^<>]*)> (\d{1,15}) ([+-])(\d{2})(\d{2})$/;

function parseSignature(text: string): Signature {
  const match = SIGNATURE.exec(text);
  if (match === null)
    throw new BkError('damaged', 'the commit has an author or committer that cannot be read');
  const [, name = '', email = '', time, sign, hours, minutes] = match;
  const offset = Number(hours) * 60 + Number(minutes);
  return { name: name.trim(), email, timeSec: Number(time), offsetMinutes: sign === '-' ? -offset : offset };
}

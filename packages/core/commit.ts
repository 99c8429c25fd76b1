import { BkError } from './error.ts';

/** What a commit says beside its tree (SPEC 2.1): the user's message, who made it where, and what became of deletions. */
export interface CommitMessage {
  readonly message: string;
  readonly repository?: RepositoryName;
  /** Absent if the commit deletes nothing. */
  readonly deletions?: DeletionPolicy;
}

export interface RepositoryName {
  /** UUID, lower case. */
  readonly id: string;
  readonly name: string;
}

export type DeletionPolicy = 'confirmed' | 'kept';

const REPOSITORY = 'Bk-Repository: ';
const DELETIONS = 'Bk-Deletions: ';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The message as it is kept: line ends are LF, none at the end. */
export function tidyMessage(message: string): string {
  return message.replaceAll('\r\n', '\n').replace(/\n+$/, '');
}

/** Whether a repository may be called so: its name stands on one line of a commit. */
export function isRepositoryName(name: string): boolean {
  return name !== '' && name.trim() === name && !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(name);
}

/**
 * Text of a commit. The trailers are a block of their own at the very end, so a message that itself looks like
 * trailers is read back as it was. @throws BkError 'usage' for a message with NUL or an impossible repository name
 */
export function formatCommitMessage(parts: {
  readonly message: string;
  readonly repository: RepositoryName;
  readonly deletions?: DeletionPolicy | undefined;
}): string {
  const { repository, deletions } = parts;
  if (parts.message.includes('\0'))
    throw new BkError('usage', 'cannot commit: the message has a NUL character');
  if (!UUID.test(repository.id) || !isRepositoryName(repository.name)) {
    throw new BkError('usage', `not a repository name: ${JSON.stringify(repository.name)}`, {
      hint: 'a name is one line of text without spaces around it',
    });
  }
  const trailers = [`${REPOSITORY}${repository.id} ${repository.name}`];
  if (deletions !== undefined) trailers.push(`${DELETIONS}${deletions}`);
  const message = tidyMessage(parts.message).replace(/\p{Cs}/gu, '\ufffd');
  return `${message === '' ? '' : `${message}\n\n`}${trailers.join('\n')}\n`;
}

/** Takes a commit's text apart again; a text without our trailers (made by git, or a merge) is all message. */
export function parseCommitMessage(text: string): CommitMessage {
  const body = text.endsWith('\n') ? text.slice(0, -1) : text;
  const gap = body.lastIndexOf('\n\n');
  const block = gap < 0 ? body : body.slice(gap + 2);
  const trailers = parseTrailers(block.split('\n'));
  if (trailers === undefined) return { message: tidyMessage(text) };
  return { message: gap < 0 ? '' : body.slice(0, gap), ...trailers };
}

function parseTrailers(lines: readonly string[]): Omit<CommitMessage, 'message'> | undefined {
  const [first = '', second, ...more] = lines;
  const id = first.slice(REPOSITORY.length, REPOSITORY.length + 36);
  const name = first.slice(REPOSITORY.length + 37);
  if (!first.startsWith(REPOSITORY) || !UUID.test(id) || name === '' || more.length > 0) return undefined;
  const repository = { id, name };
  if (second === undefined) return { repository };
  if (second === `${DELETIONS}confirmed`) return { repository, deletions: 'confirmed' };
  if (second === `${DELETIONS}kept`) return { repository, deletions: 'kept' };
  return undefined;
}

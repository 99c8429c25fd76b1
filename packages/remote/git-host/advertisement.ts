import { BkError, type GitId, gitId, repositoryOfRef } from '@bk/core';
import { LIMITS, type RefAt } from '../port.ts';
import { limited } from './http.ts';
import { PacketReader, quoted, strange, textOf } from './pkt-line.ts';

/** What a git host says first. Of its refs only those that bk uses; by version 2 none yet. */
export interface Advertisement {
  readonly version: 0 | 2;
  readonly capabilities: ReadonlySet<string>;
  readonly refs: readonly RefAt[];
}

/** A host may have many refs of its own; they are read past. */
const MOST_BYTES = 64 * 2 ** 20;
const MAIN = 'refs/heads/main';
const NOTHING = '0'.repeat(40);

/** @throws BkError 'damaged', 'refused' for a history that is not named by SHA-1 */
export async function readAdvertisement(
  body: AsyncIterable<Uint8Array>,
  service: string,
): Promise<Advertisement> {
  const reader = new PacketReader(limited(body, MOST_BYTES));
  try {
    const said = await advertisementOf(reader, service);
    await reader.end();
    return said;
  } finally {
    await reader.close();
  }
}

async function advertisementOf(reader: PacketReader, service: string): Promise<Advertisement> {
  let first = await reader.next();
  if (isText(first, `# service=${service}`)) {
    if ((await reader.next()) !== 'flush') throw strange('its greeting has no end');
    first = await reader.next();
  }
  if (isText(first, 'version 2')) return capabilitiesOnly(reader);
  if (isText(first, 'version 1')) first = await reader.next();
  // Some say nothing at all of a repository without refs.
  if (first === 'flush') return { version: 0, capabilities: new Set(), refs: [] };
  if (!Buffer.isBuffer(first)) throw strange('it says nothing of its refs');
  return withRefs(reader, first);
}

async function capabilitiesOnly(reader: PacketReader): Promise<Advertisement> {
  const capabilities = new Set<string>();
  for (let next = await reader.next(); next !== 'flush'; next = await reader.next()) {
    if (!Buffer.isBuffer(next)) throw strange('what it can do has no end');
    capabilities.add(textOf(next));
  }
  const formats = [...capabilities].filter((one) => one.startsWith('object-format='));
  checkFormat(formats[0]);
  if (![...capabilities].some((one) => /^fetch(?:=|$)/.test(one))) throw strange('it cannot be fetched from');
  return { version: 2, capabilities, refs: [] };
}

async function withRefs(reader: PacketReader, first: Buffer): Promise<Advertisement> {
  const end = first.indexOf(0);
  if (end < 0) throw strange('its refs come without what it can do');
  const capabilities = new Set(textOf(first.subarray(end + 1)).split(' '));
  checkFormat([...capabilities].find((one) => one.startsWith('object-format=')));
  const refs = new RefList();
  let line: string | undefined = first.toString('utf8', 0, end);
  while (line !== undefined) {
    if (!/^shallow /.test(line)) refs.add(line);
    const next = await reader.next();
    if (next === undefined || (!Buffer.isBuffer(next) && next !== 'flush'))
      throw strange('its refs have no end');
    line = next === 'flush' ? undefined : textOf(next);
  }
  return { version: 0, capabilities, refs: refs.refs };
}

/** Lines `ID NAME`, of which those are kept that bk uses. */
export class RefList {
  readonly refs: RefAt[] = [];
  readonly #names = new Set<string>();

  /** What follows the name (by version 2: attributes) says nothing to bk. */
  add(line: string): void {
    const [id = '', name = ''] = line.split(' ');
    if (!/^[0-9a-f]{40}$/.test(id) || name === '') throw strange(`a line of its refs is ${quoted(line)}`);
    if (id === NOTHING || (name !== MAIN && repositoryOfRef(name) === undefined)) return;
    if (this.#names.has(name)) throw strange(`it has the ref ${name} twice`);
    this.#names.add(name);
    if (this.refs.length >= LIMITS.refs)
      throw new BkError('refused', `cannot use more than ${LIMITS.refs} refs of a git host`);
    this.refs.push({ name, id: gitId(id) as GitId });
  }
}

function isText(packet: unknown, text: string): boolean {
  return Buffer.isBuffer(packet) && textOf(packet) === text;
}

function checkFormat(said: string | undefined): void {
  if (said === undefined || said === 'object-format=sha1') return;
  throw new BkError(
    'refused',
    'cannot use the git host: its repository names objects by another hash than SHA-1',
    {
      hint: 'make one there with `git init --object-format=sha1`',
    },
  );
}

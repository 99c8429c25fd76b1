import type { GitId } from '@bk/core';
import type { RefAt } from '../port.ts';
import { type Advertisement, RefList } from './advertisement.ts';
import {
  DELIMITER,
  FLUSH,
  PacketReader,
  packet,
  type SideBandOptions,
  sideBand,
  strange,
  textOf,
} from './pkt-line.ts';

/** Wanted refs by version 2, by which they are asked for. */
const PREFIXES = ['refs/heads/main', 'refs/bk/repositories/'];
export const VERSION_2 = { 'Git-Protocol': 'version=2' } as const;

export function refsRequest({ capabilities }: Advertisement): Buffer {
  const prefixes = PREFIXES.map((prefix) => packet(`ref-prefix ${prefix}\n`));
  return Buffer.concat([...command('ls-refs', capabilities), DELIMITER, ...prefixes, FLUSH]);
}

/** @throws BkError 'damaged' */
export async function readRefs(body: AsyncIterable<Uint8Array>): Promise<readonly RefAt[]> {
  const reader = new PacketReader(body);
  const list = new RefList();
  try {
    for (let next = await reader.next(); next !== 'flush'; next = await reader.next()) {
      if (!Buffer.isBuffer(next)) throw strange('its refs have no end');
      list.add(textOf(next));
    }
    await reader.end();
    return list.refs;
  } finally {
    await reader.close();
  }
}

/**
 * Asks for a pack in one go: all that may be known on both sides is named at once, so nothing is to be negotiated and
 * the answer is the pack.
 */
export function fetchRequest(
  { version, capabilities }: Advertisement,
  wants: readonly GitId[],
  haves: readonly GitId[],
): Buffer {
  const had = haves.map((id) => packet(`have ${id}\n`));
  const end = [...had, packet('done\n')];
  if (version === 2) {
    const wanted = wants.map((id) => packet(`want ${id}\n`));
    const options = ['no-progress\n', 'ofs-delta\n'].map(packet);
    return Buffer.concat([
      ...command('fetch', capabilities),
      DELIMITER,
      ...options,
      ...wanted,
      ...end,
      FLUSH,
    ]);
  }
  const can = ['side-band-64k', 'ofs-delta', 'no-progress'].filter((one) => capabilities.has(one));
  const wanted = wants.map((id, i) => packet(`want ${id}${i === 0 ? ` ${can.join(' ')}` : ''}\n`));
  return Buffer.concat([...wanted, FLUSH, ...end]);
}

/** The pack of the answer. @throws BkError 'damaged', 'refused', 'unreachable', 'not-found' */
export async function* readFetched(
  body: AsyncIterable<Uint8Array>,
  { version, capabilities }: Advertisement,
  options: SideBandOptions,
): AsyncGenerator<Uint8Array> {
  if (version === 0 && !capabilities.has('side-band-64k'))
    throw strange('it cannot send a pack beside messages');
  const reader = new PacketReader(body);
  try {
    const first = await reader.line();
    const begins =
      version === 2 ? first === 'packfile' : first === 'NAK' || /^ACK [0-9a-f]{40}$/.test(first ?? '');
    if (!begins) throw strange('where the pack should be is none');
    yield* sideBand(reader, options);
  } finally {
    await reader.close();
  }
}

function command(name: string, capabilities: ReadonlySet<string>): Buffer[] {
  const format = capabilities.has('object-format=sha1') ? [packet('object-format=sha1\n')] : [];
  return [packet(`command=${name}\n`), ...format];
}

import crypto from 'node:crypto';
import { BkError, type GitId } from '@bk/core';
import type { RefUpdate } from '../port.ts';
import type { Advertisement } from './advertisement.ts';
import {
  FLUSH,
  PacketReader,
  packet,
  quoted,
  type SideBandOptions,
  sideBand,
  strange,
  textOf,
} from './pkt-line.ts';

/** What became of one ref; `said`: why it stayed. */
export interface RefReport {
  readonly name: string;
  readonly moved: boolean;
  readonly said?: string;
}

const NOTHING = '0'.repeat(40) as GitId;

/** Commands, then the pack; git wants one even if it has nothing in it. */
export async function* pushRequest(
  { capabilities }: Advertisement,
  updates: readonly RefUpdate[],
  pack: AsyncIterable<Uint8Array> | undefined,
): AsyncGenerator<Uint8Array> {
  const can = ['report-status', 'side-band-64k', 'object-format=sha1'].filter((one) => capabilities.has(one));
  for (const [i, { name, expected = NOTHING, next }] of updates.entries())
    yield packet(`${expected} ${next} ${name}${i === 0 ? `\0 ${can.join(' ')}` : ''}`);
  yield FLUSH;
  if (pack === undefined) yield emptyPack();
  else yield* pack;
}

function emptyPack(): Buffer {
  const header = Buffer.from('PACK\0\0\0\x02\0\0\0\0', 'latin1');
  return Buffer.concat([header, crypto.createHash('sha1').update(header).digest()]);
}

/** @throws BkError 'refused' if nothing was taken, 'damaged' if what it says does not fit to what was sent */
export async function readReport(
  body: AsyncIterable<Uint8Array>,
  { capabilities }: Advertisement,
  updates: readonly RefUpdate[],
  options: SideBandOptions,
): Promise<readonly RefReport[]> {
  const outer = new PacketReader(body);
  const isBeside = capabilities.has('side-band-64k');
  const reader = isBeside ? new PacketReader(sideBand(outer, options)) : outer;
  try {
    return await reportOf(reader, updates);
  } finally {
    if (isBeside) await reader.close();
    await outer.close();
  }
}

async function reportOf(reader: PacketReader, updates: readonly RefUpdate[]): Promise<readonly RefReport[]> {
  const unpacked = await reader.line();
  if (unpacked === undefined || !unpacked.startsWith('unpack '))
    throw strange('it does not say what it took');
  if (unpacked !== 'unpack ok')
    throw new BkError('refused', `the git host took nothing: it says ${quoted(unpacked.slice(7))}`);
  const reports = new Map<string, RefReport>();
  const sent = new Set(updates.map(({ name }) => name));
  for (let next = await reader.next(); next !== 'flush'; next = await reader.next()) {
    if (!Buffer.isBuffer(next)) throw strange('its report has no end');
    const [, kind = '', name = '', said] = /^(ok|ng) (\S+)(?: (.*))?$/s.exec(textOf(next)) ?? [];
    if (!sent.has(name) || reports.has(name))
      throw strange(`a line of its report is ${quoted(textOf(next))}`);
    reports.set(name, { name, moved: kind === 'ok', ...(said !== undefined && { said }) });
  }
  return updates.map(({ name }) => reports.get(name) ?? { name, moved: false, said: 'no word of it' });
}

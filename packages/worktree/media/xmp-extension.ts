import type { MediaFacts } from '@bk/core';
import { xmpBlock } from './xmp.ts';

const HEADER = 'http://ns.adobe.com/xmp/extension/\0';
const GUID = 32;
const LONGEST = 4 << 20;
const MOST = 4;

interface Packet {
  readonly bytes: Buffer;
  filled: number;
}

/** What of an XMP packet did not fit into one segment of a JPEG: parts of a second packet, each with its offset. */
export class XmpExtension {
  readonly #packets = new Map<string, Packet>();

  /** Takes the body of an APP1 segment if it is such a part. */
  add(body: Buffer): void {
    if (body.length < HEADER.length + GUID + 8 || body.toString('latin1', 0, HEADER.length) !== HEADER)
      return;
    const guid = body.toString('latin1', HEADER.length, HEADER.length + GUID);
    const length = body.readUInt32BE(HEADER.length + GUID);
    const offset = body.readUInt32BE(HEADER.length + GUID + 4);
    const part = body.subarray(HEADER.length + GUID + 8);
    if (length > LONGEST || offset + part.length > length) return;
    const packet = this.#packets.get(guid) ?? { bytes: Buffer.alloc(length), filled: 0 };
    if (packet.bytes.length !== length || (this.#packets.size >= MOST && !this.#packets.has(guid))) return;
    this.#packets.set(guid, packet);
    part.copy(packet.bytes, offset);
    packet.filled += part.length;
  }

  /** The facts of the extension that the main packet names, if all of it is there. */
  factsFor(main: Buffer): MediaFacts | undefined {
    const guid = NAMED.exec(main.toString('latin1'))?.[1];
    const packet = this.#packets.get(guid ?? '');
    return packet !== undefined && packet.filled >= packet.bytes.length ? xmpBlock(packet.bytes) : undefined;
  }
}

const NAMED = /HasExtendedXMP(?:\s*=\s*["']|>)\s*([0-9A-F]{32})/;

import { sha1 } from '@noble/hashes/legacy.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import type { ObjectId } from '../ids.ts';
import { utf8Bytes } from '../name.ts';

/** UUIDv5 (RFC 9562) of a text in the namespace of an object: what two machines make of the same, they call the same. */
export function deriveObjectId(object: ObjectId, text: string): ObjectId {
  const name = Uint8Array.from(utf8Bytes(text), (byte) => byte.charCodeAt(0));
  const input = new Uint8Array(16 + name.length);
  input.set(hexToBytes(object.replaceAll('-', '')));
  input.set(name, 16);
  const bytes = sha1(input).subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytesToHex(bytes);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}` as ObjectId;
}

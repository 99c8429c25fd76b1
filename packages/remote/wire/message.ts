import { JSON_LIMITS, type JsonValue } from '@bk/core';
import { LEAST_PART, violation } from './frame.ts';

/** Bytes of one message: LIMITS.contents names with the parts that are there of them. */
export const MOST_MESSAGE = 24 << 20;
/** Values in it. */
const MOST_VALUES = 1_000_000;
/** Bytes of one part. */
const PART = 1 << 20;

/** JSON in parts for frames; all but the last are large. */
export function* partsOf(
  value: JsonValue,
): Generator<{ readonly bytes: Uint8Array; readonly more: boolean }> {
  const whole = Buffer.from(JSON.stringify(value));
  let at = 0;
  for (; whole.length - at > PART; at += PART) yield { bytes: whole.subarray(at, at + PART), more: true };
  yield { bytes: whole.subarray(at), more: false };
}

/** A message that comes in parts. */
export class MessageParts {
  readonly #parts: Uint8Array[] = [];
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  /** @returns the value, if this was the last part. @throws BkError 'damaged' */
  add(part: Uint8Array, more: boolean): JsonValue | undefined {
    if (more && part.length < LEAST_PART) throw violation(`a part of a message with ${part.length} bytes`);
    this.#bytes += part.length;
    if (this.#bytes > MOST_MESSAGE) throw violation(`a message of more than ${MOST_MESSAGE} bytes`);
    this.#parts.push(part);
    if (more) return undefined;
    return jsonOf(this.#parts.length === 1 ? part : Buffer.concat(this.#parts));
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws BkError 'damaged' for what is no JSON, too deep, too many values, or has the key `__proto__` */
export function jsonOf(bytes: Uint8Array): JsonValue {
  checkShape(bytes);
  let text: string;
  let value: JsonValue;
  try {
    text = UTF8.decode(bytes);
    value = JSON.parse(text) as JsonValue;
  } catch {
    throw violation('a message that is no JSON');
  }
  if ((text.includes(PROTO) || text.includes('\\u')) && hasProto(value))
    throw violation(`a message with the key ${PROTO}`);
  return value;
}

const PROTO = '__proto__';

function hasProto(value: JsonValue): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, PROTO) || Object.values(value).some(hasProto);
}

/** Looks at the brackets and commas only, before anything is allocated for what is between them. */
function checkShape(bytes: Uint8Array): void {
  let depth = 0;
  let values = 0;
  let inString = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (inString) {
      if (byte === BACKSLASH) i++;
      else if (byte === QUOTE) inString = false;
    } else if (byte === QUOTE) inString = true;
    else if (byte === COMMA) values++;
    else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
      values++;
      if (++depth > JSON_LIMITS.depth) throw violation('a message that is too deep');
    } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--;
  }
  if (values > MOST_VALUES) throw violation(`a message of more than ${MOST_VALUES} values`);
}

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

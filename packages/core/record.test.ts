import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  contentHash,
  decodeTarget,
  encodeTarget,
  formatJson,
  formatMode,
  formatMtime,
  formatRecord,
  type JsonObject,
  objectId,
  parseMode,
  parseRecord,
  type Rec,
} from './index.ts';

const damaged = expect.objectContaining({ code: 'damaged' });
const ID = objectId('01890000-0000-7000-8000-000000000001');
const OTHER = objectId('01890000-0000-7000-8000-000000000002');
const HASH = contentHash('ab'.repeat(32));
const FILE: Rec = {
  v: 1,
  id: ID,
  type: 'file',
  blake3: HASH,
  size: 1234,
  mtime: formatMtime(1_760_000_000_123_456_789n),
  mode: '0644',
};

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const hash = hex(64).map(contentHash);
const id = fc.uuid().map(objectId);
const object = fc.dictionary(
  fc.string().filter((key) => key !== '__proto__'),
  fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string())),
) as fc.Arbitrary<JsonObject>;
const optional = fc.record(
  {
    hashes: fc.dictionary(fc.constantFrom('sha256', 'payload'), hash),
    media: object,
    attrs: object,
    xattrs: object,
    conflict: object,
    was: fc.uniqueArray(id, { minLength: 1, maxLength: 4 }).map((ids) => ids.toSorted()),
    linked: id,
    owner: fc.oneof(fc.string(), fc.nat()),
    group: fc.string(),
    fromTheFuture: object,
  },
  { requiredKeys: [] },
);
const mode = fc.nat(0o7777).map(formatMode);
const mtime = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }).map(formatMtime);
const content = { v: fc.constant(1 as const), id, blake3: hash, mtime, mode };
const common = fc.record({ ...content, type: fc.constant('file' as const), size: fc.maxSafeNat() });
const symlink = fc
  .tuple(
    fc.record({ ...content, type: fc.constant('symlink' as const) }),
    fc.uint8Array({ minLength: 1, maxLength: 20 }),
  )
  .map(([rest, raw]) => ({
    ...rest,
    size: raw.length,
    target: encodeTarget(Buffer.from(raw).toString('latin1')),
  }));
const directory = fc.record(
  {
    v: fc.constant(1 as const),
    id,
    type: fc.constant('dir' as const),
    mode,
    entity: fc.constantFrom('album', 'project'),
    attrs: object,
  },
  { requiredKeys: ['v', 'id', 'type', 'mode'] },
);
const any: fc.Arbitrary<Rec> = fc.oneof(
  common,
  fc.tuple(common, optional).map(([a, b]) => ({ ...a, ...b })),
  fc.tuple(symlink, optional).map(([a, b]) => ({ ...a, ...b })),
  directory,
);
/** The same fields in another order. */
const shuffled = (record: Rec): Rec => Object.fromEntries(Object.entries(record).reverse()) as unknown as Rec;

describe('records', () => {
  test('a common file', () => {
    expect(formatRecord(FILE)).toBe(
      `{\n "blake3": "${HASH}",\n "id": "${ID}",\n "mode": "0644",\n "mtime": "2025-10-09T08:53:20.123456789Z",\n "size": 1234,\n "type": "file",\n "v": 1\n}\n`,
    );
  });

  test('survive; equal metadata gives equal text, the one of canonical JSON', () => {
    fc.assert(
      fc.property(any, (record) => {
        const text = formatRecord(record);
        expect(text).toBe(formatJson(record as unknown as JsonObject));
        expect(formatRecord(shuffled(record))).toBe(text);
        expect(parseRecord(text)).toEqual(record);
        expect(formatRecord(parseRecord(text))).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  test('unknown fields are kept, unless the fast path ate them', () => {
    const { size: _, ...six } = FILE;
    const odd = { ...six, newer: 'x' } as unknown as Rec;
    expect(formatRecord(odd)).toBe(formatJson(odd as unknown as JsonObject));
    const seven = { ...FILE, zoom: [1, 2] } as Rec;
    expect(formatRecord({ ...parseRecord(formatRecord(seven)), size: 5 })).toContain('"zoom"');
  });

  const link = { ...FILE, type: 'symlink', target: 'a/b', size: 3 };
  const folder = { v: 1, id: ID, type: 'dir', mode: '0700' };
  test.each<[string, object]>([
    ['another version', { ...FILE, v: 2 }],
    ['no id', { ...FILE, id: undefined }],
    ['an id in upper case', { ...FILE, id: ID.toUpperCase().replace('0', 'A') }],
    ['an unknown type', { ...FILE, type: 'fifo' }],
    ['a short hash', { ...FILE, blake3: 'ab' }],
    ['a hash that is a number', { ...FILE, blake3: 1 }],
    ['no hash', { ...FILE, blake3: undefined }],
    ['a negative size', { ...FILE, size: -1 }],
    ['half a byte', { ...FILE, size: 0.5 }],
    ['a size beyond 2^53', { ...FILE, size: 2 ** 53 }],
    ['a size as text', { ...FILE, size: '1' }],
    ['three digits of mode', { ...FILE, mode: '644' }],
    ['a mode that is not octal', { ...FILE, mode: '0688' }],
    ['a mode with type bits', { ...FILE, mode: '100644' }],
    ['a day that is not', { ...FILE, mtime: '2026-02-30T00:00:00.000000000Z' }],
    ['a file with a target', { ...FILE, target: 'x' }],
    ['a file that is an entity', { ...FILE, entity: 'album' }],
    ['a symlink without target', { ...FILE, type: 'symlink' }],
    ['a symlink of another size', { ...link, size: 4 }],
    ['a folder with a hash', { ...folder, blake3: HASH }],
    ['a folder with a size', { ...folder, size: 0 }],
    ['a folder with an mtime', { ...folder, mtime: FILE.mtime }],
    ['attrs that are a list', { ...FILE, attrs: [] }],
    ['media that are null', { ...FILE, media: null }],
    ['hashes with a prefix', { ...FILE, hashes: { sha256: `sha256:${HASH}` } }],
    ['unsorted was', { ...FILE, was: [OTHER, ID] }],
    ['repeated was', { ...FILE, was: [ID, ID] }],
    ['empty was', { ...FILE, was: [] }],
    ['was of numbers', { ...FILE, was: [1] }],
    ['linked to nothing', { ...FILE, linked: '' }],
    ['a list', [1]],
  ])('refuses %s', (_, value) => {
    expect(() => parseRecord(formatJson(value as JsonObject))).toThrow(damaged);
  });

  test('accepts the neighbours of what it refuses', () => {
    for (const value of [
      FILE,
      link,
      folder,
      { ...FILE, was: [ID, OTHER] },
      { ...folder, entity: 'album' },
      { ...FILE, size: 2 ** 53 - 1 },
    ]) {
      expect(parseRecord(formatJson(value as unknown as JsonObject))).toEqual(value);
    }
  });

  test('refuses every spelling but the canonical one', () => {
    for (const text of [
      JSON.stringify(FILE),
      `${formatRecord(FILE)}\n`,
      formatRecord(FILE).replace('1234,', '01234,'),
      formatRecord(FILE).trimEnd(),
    ]) {
      expect(() => parseRecord(text)).toThrow(damaged);
    }
  });
});

describe('modes and targets', () => {
  test.each([
    [0, '0000'],
    [0o644, '0644'],
    [0o100644, '0644'],
    [0o4755, '4755'],
  ])('%i is %s', (bits, text) => {
    expect(formatMode(bits)).toBe(text);
    expect(parseMode(text)).toBe(bits & 0o7777);
  });

  test.each([
    ['../a b', '../a b'],
    ['100%25', '100%25'],
    ['\xc3\xa9', 'é'],
    ['a/\xff%\\', 'a/%FF%25%5C'],
  ])('target %j is recorded as %j', (bytes, target) => {
    expect(encodeTarget(bytes)).toBe(target);
    expect(decodeTarget(target, bytes.length)).toBe(bytes);
  });

  test('any target survives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (raw) => {
        const bytes = Buffer.from(raw).toString('latin1');
        expect(decodeTarget(encodeTarget(bytes), bytes.length)).toBe(bytes);
      }),
      { numRuns: 3000 },
    );
  });
});

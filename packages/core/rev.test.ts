import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRev, splitRevPath } from './rev.ts';

const NOON = { ms: Date.UTC(2026, 10, 20, 11, 30), offsetMinutes: 60 };
const ms = (iso: string) => Date.parse(iso);

describe('parseRev', () => {
  test.each([
    ['HEAD', { kind: 'head' }],
    ['@', { kind: 'head' }],
    ['cafe', { kind: 'name', name: 'cafe', prefix: 'cafe' }],
    ['CAFE0', { kind: 'name', name: 'CAFE0', prefix: 'cafe0' }],
    ['caf', { kind: 'name', name: 'caf' }],
    ['2026', { kind: 'name', name: '2026', prefix: '2026' }],
    ['disk-2', { kind: 'name', name: 'disk-2' }],
    ['Büro.NAS', { kind: 'name', name: 'Büro.NAS' }],
  ])('%s', (text, base) => {
    expect(parseRev(text, NOON)).toEqual({ text, base, steps: [] });
  });

  test.each([
    ['HEAD~', [{ kind: 'ancestor', generations: 1 }]],
    ['HEAD~12', [{ kind: 'ancestor', generations: 12 }]],
    ['HEAD~0', [{ kind: 'ancestor', generations: 0 }]],
    ['HEAD^', [{ kind: 'parent', number: 1 }]],
    [
      'HEAD^^2',
      [
        { kind: 'parent', number: 1 },
        { kind: 'parent', number: 2 },
      ],
    ],
    [
      'HEAD~3^0~',
      [
        { kind: 'ancestor', generations: 3 },
        { kind: 'parent', number: 0 },
        { kind: 'ancestor', generations: 1 },
      ],
    ],
  ])('%s', (text, steps) => {
    expect(parseRev(text, NOON)).toEqual({ text, base: { kind: 'head' }, steps });
  });

  test.each([
    ['2026-10-01', '2026-10-01T23:59:59.999+01:00'],
    ['2024-02-29', '2024-02-29T23:59:59.999+01:00'],
    ['2026-10-01T12:00', '2026-10-01T12:00:00+01:00'],
    ['2026-10-01 12:00:30', '2026-10-01T12:00:30+01:00'],
    ['2026-10-01T12:00:30.25Z', '2026-10-01T12:00:30.250Z'],
    ['2026-10-01T12:00-0530', '2026-10-01T12:00:00-05:30'],
    ['now', '2026-11-20T11:30:00Z'],
    ['today', '2026-11-20T23:59:59.999+01:00'],
    ['Yesterday', '2026-11-19T23:59:59.999+01:00'],
    ['3 days ago', '2026-11-17T11:30:00Z'],
    ['3.days.ago', '2026-11-17T11:30:00Z'],
    ['1 day ago', '2026-11-19T11:30:00Z'],
    ['2 weeks ago', '2026-11-06T11:30:00Z'],
    ['an hour ago', '2026-11-20T10:30:00Z'],
    ['last week', '2026-11-13T11:30:00Z'],
    ['9 months ago', '2026-02-20T11:30:00Z'],
    ['a year ago', '2025-11-20T11:30:00Z'],
  ])('%s is by %s', (text, iso) => {
    expect(parseRev(text, NOON).base).toEqual({ kind: 'date', ms: ms(iso) });
  });

  test('a month before the 31st is the last day of a shorter month', () => {
    const now = { ms: ms('2026-03-31T10:00:00Z'), offsetMinutes: 0 };
    expect(parseRev('1 month ago', now).base).toEqual({ kind: 'date', ms: ms('2026-02-28T10:00:00Z') });
  });

  test('yesterday changes at local midnight', () => {
    const late = { ms: ms('2026-11-20T23:30:00Z'), offsetMinutes: 60 };
    expect(parseRev('yesterday', late).base).toEqual({
      kind: 'date',
      ms: ms('2026-11-20T23:59:59.999+01:00'),
    });
  });

  test('dates take steps too', () => {
    expect(parseRev('yesterday~2', NOON)).toMatchObject({
      base: { kind: 'date' },
      steps: [{ kind: 'ancestor', generations: 2 }],
    });
  });

  test.each([
    '',
    '~1',
    '^',
    'a b',
    'x..y:z',
    'a\0',
    '-C',
    'HEAD~99999999999',
    '2026-02-30',
    '2026-13-01',
    '2026-10-01T24:00',
  ])('refuses %j', (text) => {
    expect(() => parseRev(text, NOON)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('never fails but by a usage error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        try {
          expect(parseRev(text, NOON).text).toBe(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage' });
        }
      }),
    );
  });
});

describe('splitRevPath', () => {
  test.each([
    ['HEAD', { rev: 'HEAD' }],
    ['HEAD:', { rev: 'HEAD', path: '' }],
    ['HEAD~2:a/b:c', { rev: 'HEAD~2', path: 'a/b:c' }],
    ['2026-10-01:x', { rev: '2026-10-01', path: 'x' }],
    ['2026-10-01T12:00:photos/1.jpg', { rev: '2026-10-01T12:00', path: 'photos/1.jpg' }],
    ['2026-10-01T12:00+02:00:x', { rev: '2026-10-01T12:00+02:00', path: 'x' }],
    ['2026-10-01T12:00:30', { rev: '2026-10-01T12:00:30' }],
  ])('%s', (text, parts) => {
    expect(splitRevPath(text)).toEqual(parts);
  });

  test('refuses a path without a revision', () => {
    expect(() => splitRevPath(':x')).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

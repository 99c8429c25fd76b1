import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { besideName, besideNames, NAME_BYTES, withoutNotes } from './beside.ts';
import { companionStem, groupCompanions } from './companions.ts';
import { decodeName, encodeName, isCanonicalName } from './name.ts';
import type { EncodedName, FsName } from './path.ts';

const free = (): boolean => false;
const named = (name: string, note = 'recovered 2026-10-01'): string =>
  besideName(name as EncodedName, note, free);

describe('besideName', () => {
  test.each([
    ['a.jpg', 'a (recovered 2026-10-01).jpg'],
    ['a', 'a (recovered 2026-10-01)'],
    ['.bashrc', '.bashrc (recovered 2026-10-01)'],
    ['.a.conf', '.a (recovered 2026-10-01).conf'],
    ['a.b.c', 'a.b (recovered 2026-10-01).c'],
    ['a.tar.gz', 'a (recovered 2026-10-01).tar.gz'],
    ['a.TAR.zst', 'a (recovered 2026-10-01).TAR.zst'],
    ['.tar.gz', '.tar (recovered 2026-10-01).gz'],
    ['a.tar', 'a (recovered 2026-10-01).tar'],
    ['a.', 'a. (recovered 2026-10-01)'],
    ['%2Egit', '.git (recovered 2026-10-01)'],
    ['caf%E9.txt', 'caf%E9 (recovered 2026-10-01).txt'],
    [`Dr. ${'x'.repeat(40)}`, `Dr. ${'x'.repeat(40)} (recovered 2026-10-01)`],
    ['a (recovered 2025-01-01).jpg', 'a (recovered 2026-10-01).jpg'],
    ['a (recovered 2025-01-01) 3.jpg', 'a (recovered 2026-10-01).jpg'],
    ['a (recovered).jpg', 'a (recovered) (recovered 2026-10-01).jpg'],
    ['a (conflict x 2025-01-01).jpg', 'a (conflict x 2025-01-01) (recovered 2026-10-01).jpg'],
  ])('%s', (name, expected) => {
    expect(named(name)).toBe(expected);
  });

  test('a conflict copy that conflicts again starts from its original stem', () => {
    expect(named('a (conflict old disk 2025-01-01) 2.tar.gz', 'conflict nas 2026-10-01')).toBe(
      'a (conflict nas 2026-10-01).tar.gz',
    );
    expect(named('a (conflict my (old) disk 2025-01-01)', 'conflict nas 2026-10-01')).toBe(
      'a (conflict nas 2026-10-01)',
    );
  });

  test('counts on while the name is taken', () => {
    const taken = new Set(['a (recovered 2026-10-01).jpg', 'a (recovered 2026-10-01) 2.jpg']);
    const name = besideName('a.jpg' as EncodedName, 'recovered 2026-10-01', (other) => taken.has(other));
    expect(name).toBe('a (recovered 2026-10-01) 3.jpg');
  });

  test('any name stays canonical, within 255 bytes, whole in its characters, and is new', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 130 });
    const bytes = (name: string): FsName =>
      String.fromCharCode(...new TextEncoder().encode(name)).slice(0, NAME_BYTES) as FsName;
    fc.assert(
      fc.property(text, fc.constantFrom('', '.jpg', '.tar.gz'), (stem, extension) => {
        fc.pre(!/[/\0]/.test(stem));
        const name = bytes(stem.repeat(3) + extension);
        const beside = besideName(encodeName(name), 'recovered 2026-10-01', free);
        expect(isCanonicalName(beside)).toBe(true);
        const decoded = decodeName(beside);
        expect(decoded.length).toBeLessThanOrEqual(NAME_BYTES);
        const kept = decoded.slice(0, decoded.lastIndexOf(' (recovered'));
        expect(name.startsWith(kept)).toBe(true);
        const whole = new TextDecoder('utf-8', { fatal: true });
        const valid = (latin: string): boolean => {
          try {
            whole.decode(Uint8Array.from(latin, (char) => char.charCodeAt(0)));
            return true;
          } catch {
            return false;
          }
        };
        if (valid(name)) expect(valid(decoded)).toBe(true);
      }),
    );
  });

  test.each(['a', 'aa', 'aaa', 'aaaa'])('a long stem after %s is cut between characters', (start) => {
    const name = `${start}${'\u{1f600}'.repeat(62)}` as EncodedName;
    const beside = besideName(name, 'recovered 2026-10-01', free);
    expect(beside).toMatch(/^a+(\u{1f600})+ \(recovered 2026-10-01\)$/u);
    expect(decodeName(beside).length).toBeGreaterThan(NAME_BYTES - 4);
  });

  test('a stem of stray bytes is shortened all the same', () => {
    const name = '\x80'.repeat(255) as FsName;
    expect(decodeName(besideName(encodeName(name), 'recovered 2026-10-01', free))).toHaveLength(NAME_BYTES);
  });

  test('the name without its notes, of one kind only', () => {
    for (const name of ['x.jpg', 'a.tar.gz', '.hidden', 'no extension', 'é (2).jpg'])
      for (const note of ['conflict a b 2026-10-01', 'recovered 2026-10-01']) {
        const beside = besideName(name as EncodedName, note, free);
        expect(withoutNotes(beside, note.split(' ')[0]!)).toBe(name);
        expect(withoutNotes(beside, 'other')).toBe(beside);
      }
    expect(withoutNotes('x (conflict a 2026-10-01) 2.jpg' as EncodedName, 'conflict')).toBe('x.jpg');
  });
});

describe('besideNames', () => {
  const list = (text: string) => text.split(', ') as EncodedName[];
  const NOTE = 'recovered 2026-10-01';

  test.each([
    ['a.CR2, a.JPG, a.xmp, a.CR2.xmp', 'a (R).CR2, a (R).JPG, a (R).xmp, a (R).CR2.xmp'],
    ['song.mp3, song.mp3.xmp', 'song (R).mp3, song (R).mp3.xmp'],
    ['song.mp3.xmp', 'song.mp3 (R).xmp'],
    ['.git.jpg, .git.xmp', '.git (R).jpg, .git (R).xmp'],
    ['our.trip.jpg, our.trip.xmp', 'our.trip (R).jpg, our.trip (R).xmp'],
    ['a (recovered 2025-01-01).CR2, a (recovered 2025-01-01).JPG', 'a (R).CR2, a (R).JPG'],
  ])('%s', (names, expected) => {
    expect(besideNames(list(names), NOTE, free).join(', ').replaceAll(NOTE, 'R')).toBe(expected);
  });

  test.each([
    ['a (conflict x 2025-01-01).CR2.xmp', 'a.CR2.xmp'],
    ['a.CR2 (conflict x 2025-01-01).xmp', 'a.CR2.xmp'],
    ['a (conflict x 2025-01-01) 2.xmp', 'a.xmp'],
    ['song (conflict x 2025-01-01).mp3.xmp', 'song.mp3.xmp'],
    ['a (conflict x 2025-01-01).CR2.txt', 'a (conflict x 2025-01-01).CR2.txt'],
    ['.git.xmp', '.git.xmp'],
    ['%2Egit', '%2Egit'],
  ])('%s without its notes: %s', (name, expected) => {
    expect(withoutNotes(name as EncodedName, 'conflict')).toBe(expected);
  });

  test('a name that is taken takes all on', () => {
    const taken = (name: EncodedName, i: number) => name === `a (${NOTE}).JPG` && i === 1;
    expect(besideNames(list('a.CR2, a.JPG'), NOTE, taken)).toEqual([
      `a (${NOTE}) 2.CR2`,
      `a (${NOTE}) 2.JPG`,
    ]);
    expect(besideNames(list('a.JPG, a.CR2'), NOTE, taken)).toEqual([`a (${NOTE}).JPG`, `a (${NOTE}).CR2`]);
  });

  test('any companions are companions under their new names, each with a name of its own', () => {
    const stem = fc.oneof(
      fc.constantFrom('a', 'a.b', '%FF', `a (${NOTE}) 3`, 'x'.repeat(246)),
      fc.constant('é'.repeat(120)),
    );
    const ending = fc.constantFrom('.jpg', '.CR2', '.xmp', '.CR2.xmp', '.jpg.xmp', '.mov');
    fc.assert(
      fc.property(stem, fc.uniqueArray(ending, { minLength: 2 }), (start, endings) => {
        const names = endings.map((end) => `${start}${end}` as EncodedName);
        const beside = besideNames(names, NOTE, free);
        expect(new Set(beside).size).toBe(names.length);
        expect(groupCompanions(beside).get(beside[0]!)).toEqual(beside);
        expect(new Set(beside.map(companionStem)).size).toBe(1);
        expect(Math.max(...beside.map((name) => decodeName(name).length))).toBeLessThanOrEqual(NAME_BYTES);
      }),
    );
  });
});

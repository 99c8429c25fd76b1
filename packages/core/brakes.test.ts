import { describe, expect, test } from 'vitest';
import { brake, conserve } from './brakes.ts';
import { fakeHash } from './disk.fixture.ts';
import { BkError } from './error.ts';

describe('brake (SPEC 4, rule 5)', () => {
  test.each([
    [20, 10, 0, false],
    [20, 11, 0, true],
    [19, 19, 0, false],
    [21, 11, 0, true],
    [10_000, 1_000, 0, false],
    [10_000, 1_001, 0, true],
    [10_010, 1_001, 0, false],
    [100_000, 9_999, 0, false],
    [2_002, 0, 1_001, false],
    [2_001, 0, 1_001, true],
    [1_000, 0, 1_000, false],
    [0, 0, 0, false],
  ])('of %i files %i deleted, %i replaced: refused %s', (trackedFiles, deleted, replaced, refuse) => {
    expect(brake({ trackedFiles, deleted, replaced }).refuse).toBe(refuse);
  });

  test('says how many, and what to do', () => {
    expect(brake({ trackedFiles: 30, deleted: 20, replaced: 0 })).toEqual({
      refuse: true,
      reason: 'this would delete 20 of 30 files',
      hint: expect.stringContaining('--allow-mass-delete'),
    });
    expect(brake({ trackedFiles: 1500, deleted: 0, replaced: 1200 })).toMatchObject({
      reason: 'this would replace the contents of 1200 of 1500 files',
      hint: expect.stringContaining('--allow-mass-delete'),
    });
  });

  test.each([
    { trackedFiles: 30, deleted: 20, replaced: 0 },
    { trackedFiles: 1500, deleted: 0, replaced: 1200 },
  ])('%o in a history: the files here are untouched', (damage) => {
    expect(brake(damage, 'history')).toMatchObject({
      hint: expect.stringMatching(/untouched.*--allow-mass-delete/),
    });
  });
});

describe('conserve (SPEC 4, rule 6)', () => {
  const [a, b, c, d, e] = ['a', 'b', 'c', 'd', 'e'].map(fakeHash) as [never, never, never, never, never];
  const messageOf = (work: () => void): string => {
    try {
      work();
    } catch (error) {
      expect(error).toBeInstanceOf(BkError);
      expect((error as BkError).code).toBe('bug');
      return (error as BkError).message;
    }
    return 'balanced';
  };

  test('what is lost is exactly what is listed', () => {
    expect(messageOf(() => conserve([a, a, b], [a, c], [b]))).toBe('balanced');
    expect(messageOf(() => conserve([], [a], []))).toBe('balanced');
  });

  test('a lost content that is not listed is named', () => {
    expect(messageOf(() => conserve([a, b], [a], []))).toContain(b);
    const message = messageOf(() => conserve([a, b, c, d, e], [], [a]));
    expect(message.match(/[0-9a-f]{64}/g)).toHaveLength(3);
    expect(message).toContain('and 1 more');
  });

  test('a listed content that is not lost, or was never there, is named', () => {
    expect(messageOf(() => conserve([a, b], [a, b], [b]))).toContain(b);
    expect(messageOf(() => conserve([a], [a], [c]))).toContain(c);
  });
});

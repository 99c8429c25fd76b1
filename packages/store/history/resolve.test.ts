import { type GitId, parseRev } from '@bk/core';
import { describe, expect, test } from 'vitest';
import { newHistory } from './history.fixture.ts';
import { HistoryReader } from './reader.ts';
import { resolveRev } from './resolve.ts';

const DAY = 86_400;
const FIRST = Date.UTC(2026, 9, 1, 12) / 1000;
const NOW = { ms: (FIRST + 3 * DAY + 3600) * 1000, offsetMinutes: 0 };

/** main: first, second, third (a merge of second and side), one a day; side's parent is first. */
function withCommits(
  check: (ids: Record<'first' | 'second' | 'side' | 'third', GitId>, rev: (text: string) => GitId) => void,
): void {
  using history = newHistory();
  const first = history.commit({ x: '1' }, { timeSec: FIRST });
  const second = history.commit({ x: '2' }, { timeSec: FIRST + DAY, parents: [first] });
  const side = history.commit({ x: '3' }, { timeSec: FIRST + DAY, parents: [first] });
  const third = history.commit({ x: '4' }, { timeSec: FIRST + 2 * DAY, parents: [second, side] });
  const reader = new HistoryReader(history.dir);
  const remotes: Record<string, GitId> = { nas: side, [first.slice(0, 6)]: second };
  const context = { reader, head: third, remote: (name: string) => remotes[name] };
  check({ first, second, side, third }, (text) => resolveRev(parseRev(text, NOW), context));
  reader.close();
}

describe('resolveRev', () => {
  test('finds commits by all spellings', () => {
    withCommits(({ first, second, side, third }, rev) => {
      const expected: [string, GitId][] = [
        ['HEAD', third],
        ['HEAD~', second],
        ['HEAD~2', first],
        ['HEAD^2', side],
        ['HEAD^2^', first],
        ['HEAD^0', third],
        ['nas', side],
        ['nas~', first],
        [first, first],
        [side.slice(0, 8), side],
        [side.slice(0, 8).toUpperCase(), side],
        [first.slice(0, 6), second],
        ['2026-10-01', first],
        ['2026-10-02T11:59', first],
        ['2026-10-02T12:00', second],
        ['2026-10-02T12:00+01:00', first],
        ['2 days ago', second],
        ['yesterday', third],
        ['today', third],
        ['2 days ago~', first],
      ];
      for (const [text, id] of expected) expect([text, rev(text)]).toEqual([text, id]);
    });
  });

  test.each([
    ['HEAD~3', /first/],
    ['HEAD^3', /2 parents/],
    ['HEAD~2^2', /no parent/],
    ['usb', /no remote/],
    ['0123456789', /no commit id/],
    ['2026-09-30', /2026-10-01T12:00:00/],
  ])('%s is not found', (text, reason) => {
    withCommits((_ids, rev) => {
      expect(() => rev(text)).toThrow(
        expect.objectContaining({ code: 'not-found', message: expect.stringMatching(reason) }),
      );
    });
  });

  test('several commits for one beginning are named', () => {
    const ids = ['abcd1', 'abcd2'].map((start) => start.padEnd(40, '0') as GitId);
    const reader = { resolve: () => ids, readCommit: () => expect.fail('nothing to read') };
    const context = { reader, head: undefined, remote: () => undefined };
    expect(() => resolveRev(parseRev('abcd', NOW), context)).toThrow(
      expect.objectContaining({ code: 'usage', hint: expect.stringContaining(ids[1]!) }),
    );
    expect(() => resolveRev(parseRev('HEAD', NOW), context)).toThrow(/nothing was committed/);
  });
});

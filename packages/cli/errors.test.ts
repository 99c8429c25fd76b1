import fs from 'node:fs';
import { BkError } from '@bk/core';
import { describe, expect, test } from 'vitest';
import { failureOf } from './errors.ts';

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

describe('errors in words', () => {
  test('our own say what they say', () => {
    const error = new BkError('refused', 'cannot: no', { hint: 'do', path: 'a' });
    expect(failureOf(error)).toEqual({
      code: 'refused',
      message: 'cannot: no',
      hint: 'do',
      path: 'a',
      exit: 3,
    });
  });

  test('the system’s name the path and the reason', () => {
    const failure = failureOf(thrownBy(() => fs.readFileSync('/no/such')));
    expect(failure).toMatchObject({ code: 'io', exit: 4, path: '/no/such' });
    expect(failure.message).toBe('cannot open /no/such: no such file or directory');
  });

  test.each([
    [{ code: 'ENOSPC', errno: -28, syscall: 'write' }, 'no-space', 4],
    [{ code: 'EDQUOT', errno: -122, syscall: 'write', path: 'x' }, 'no-space', 4],
    [{ code: 'EACCES', errno: -13, syscall: 'open', path: 'x' }, 'io', 4],
    [{ code: 'SQLITE_BUSY_SNAPSHOT', message: 'busy' }, 'locked', 4],
    [{ code: 'SQLITE_FULL', message: 'full' }, 'no-space', 4],
    [{ code: 'SQLITE_CORRUPT', message: 'bad' }, 'damaged', 5],
    [{ code: 'SQLITE_IOERR_WRITE', message: 'io' }, 'io', 4],
    [{ code: 'SQLITE_ERROR', message: 'no such table' }, 'bug', 70],
    [new TypeError('x is not a function'), 'bug', 70],
    ['text', 'bug', 70],
    [undefined, 'bug', 70],
  ])('%j is %s', (error, code, exit) => expect(failureOf(error)).toMatchObject({ code, exit }));
});

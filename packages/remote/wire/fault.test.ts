import type { JsonValue } from '@bk/core';
import { expect, test } from 'vitest';
import { errorOf, faultOf } from './fault.ts';

test.each<JsonValue>([
  null,
  true,
  7,
  'text',
  [],
  ['io'],
  {},
  { code: 'no-such', message: 3 },
  { message: '' },
])('what is no error (%j) is damage without words', (fault) => {
  expect(faultOf(errorOf(fault))).toEqual({ code: 'damaged', message: 'it said no more' });
});

import { expect, test } from 'vitest';
import { reasonsText } from './lists.ts';

test('a reason is told once, with how many it stands for', () => {
  const items = [
    { path: 'b', reason: 'nobody has it' },
    { path: 'x\ny', reason: 'edited' },
    { path: 'a', reason: 'nobody has it' },
  ];
  expect(reasonsText('kept', items)).toBe(
    'kept: 3\n  nobody has it: 2\n    b\n    a\n  edited: 1\n    x\\ny\n',
  );
  expect(reasonsText('kept', [])).toBe('');
});

test('of many paths the first are shown, for each reason', () => {
  const items = Array.from({ length: 203 }, (_, i) => ({ path: `${i}`, reason: i < 102 ? 'one' : 'other' }));
  const lines = reasonsText('kept', items).split('\n');
  expect(lines.filter((line) => line.startsWith('    … and'))).toEqual([
    '    … and 2 more (--json lists all)',
    '    … and 1 more (--json lists all)',
  ]);
  expect(lines).toHaveLength(1 + 2 * 102 + 1);
});

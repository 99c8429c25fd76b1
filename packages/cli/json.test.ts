import { expect, test } from 'vitest';
import { jsonDocument } from './json.ts';

test('paths are plain text, one that is no text stays encoded and says so', () => {
  const document = {
    changes: [
      { path: 'a%0Ab', from: '%2Egit/x' },
      { path: 'plain', from: 'f%FF' },
      { path: 'a', reason: '100%' },
    ],
  };
  expect(JSON.parse(jsonDocument(document, ['path', 'from']))).toEqual({
    changes: [
      { path: 'a\nb', from: '.git/x' },
      { path: 'plain', from: 'f%FF', encoded: true },
      { path: 'a', reason: '100%' },
    ],
  });
});

test('a list of paths is one too', () => {
  const document = [
    { path: 'a%25', kept: ['b%25', 'c'] },
    { path: 'a%25', kept: ['f%FF'] },
    { path: 'a%25', kept: [] },
  ];
  expect(JSON.parse(jsonDocument(document, ['path', 'kept']))).toEqual([
    { path: 'a%', kept: ['b%', 'c'] },
    { path: 'a%25', kept: ['f%FF'], encoded: true },
    { path: 'a%', kept: [] },
  ]);
});

test('only the named fields are paths', () => {
  expect(jsonDocument({ from: 'the net, 5%', path: 'a%25' }, ['path'])).toBe(
    '{"from":"the net, 5%","path":"a%"}\n',
  );
  expect(jsonDocument({ path: '5%' }, [])).toBe('{"path":"5%"}\n');
});

test('big integers are not rounded', () => {
  expect(jsonDocument({ small: 5n, big: 1_700_000_000_000_000_005n, none: null }, [])).toBe(
    '{"small":5,"big":"1700000000000000005","none":null}\n',
  );
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatCommitMessage, isRepositoryName, parseCommitMessage, tidyMessage } from './commit.ts';

const ID = '0190a1b2-c3d4-7e5f-8a6b-0123456789ab';
const repository = { id: ID, name: 'laptop' };

describe('formatCommitMessage', () => {
  test.each([
    ['sorted the photos', undefined, `sorted the photos\n\nBk-Repository: ${ID} laptop\n`],
    ['x', 'confirmed', `x\n\nBk-Repository: ${ID} laptop\nBk-Deletions: confirmed\n`],
    ['', 'kept', `Bk-Repository: ${ID} laptop\nBk-Deletions: kept\n`],
    ['a\n\nb\n\n\n', undefined, `a\n\nb\n\nBk-Repository: ${ID} laptop\n`],
    ['a\r\nb', undefined, `a\nb\n\nBk-Repository: ${ID} laptop\n`],
  ] as const)('%j, deletions %s', (message, deletions, text) => {
    expect(formatCommitMessage({ message, repository, deletions })).toBe(text);
  });

  test.each(['', 'two\nlines', ' padded', 'nul\0', 'line\u2028separator', 'half \ud83d'])(
    'refuses the repository name %j',
    (name) => {
      expect(isRepositoryName(name)).toBe(false);
      expect(() => formatCommitMessage({ message: 'x', repository: { id: ID, name } })).toThrow(
        /not a repository name/,
      );
    },
  );

  test('refuses NUL in the message', () => {
    expect(() => formatCommitMessage({ message: 'a\0b', repository })).toThrow(/NUL/);
  });
});

describe('parseCommitMessage', () => {
  const lookalikes = fc.constantFrom(
    `Bk-Repository: ${ID} other`,
    'Bk-Deletions: kept',
    'Signed-off-by: x',
    '',
    '\n',
    'text',
    '\u2028',
    'é😀',
  );
  const messages = fc.oneof(
    fc.array(lookalikes).map((lines) => lines.join('\n')),
    fc.string({ unit: 'grapheme' }),
  );

  test('gives back what was formatted, whatever the message looks like', () => {
    const parts = fc.record({
      message: messages.filter((message) => !message.includes('\0')),
      name: fc.string({ unit: 'grapheme' }).filter(isRepositoryName),
      deletions: fc.constantFrom(undefined, 'confirmed' as const, 'kept' as const),
    });
    fc.assert(
      fc.property(parts, ({ message, name, deletions }) => {
        const text = formatCommitMessage({ message, repository: { id: ID, name }, deletions });
        expect(parseCommitMessage(text)).toEqual({
          message: tidyMessage(message),
          repository: { id: ID, name },
          ...(deletions && { deletions }),
        });
      }),
    );
  });

  test.each([
    ['made by git\n', 'made by git'],
    ['', ''],
    [`subject\n\nBk-Repository: no-uuid laptop\n`, `subject\n\nBk-Repository: no-uuid laptop`],
    [
      `subject\n\nBk-Repository: ${ID} a\nBk-Deletions: maybe\n`,
      `subject\n\nBk-Repository: ${ID} a\nBk-Deletions: maybe`,
    ],
    [`subject\n\nBk-Repository: ${ID} a\nother: line\n`, `subject\n\nBk-Repository: ${ID} a\nother: line`],
  ])('%j has no trailers of ours', (text, message) => {
    expect(parseCommitMessage(text)).toEqual({ message });
  });
});

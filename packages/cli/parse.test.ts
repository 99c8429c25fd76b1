import { describe, expect, test } from 'vitest';
import { optionsOf, parse } from './parse.ts';
import { nameOf } from './verb.ts';
import { VERBS } from './verbs/index.ts';

function options(...argv: string[]): Record<string, unknown> {
  const request = parse(argv, VERBS);
  return request.is === 'verb' ? (request.options as Record<string, unknown>) : {};
}

describe('the command line', () => {
  test('every verb has a description, an example and help', () => {
    for (const verb of VERBS) {
      const help = parse([nameOf(verb), '--help'], VERBS);
      expect(help.is).toBe('help');
      const text = help.is === 'help' ? help.text : '';
      expect(text).toContain(verb.about);
      expect(text).toMatch(/Examples:\n {2}bk /);
      expect(text).toContain('--json');
      for (const [command] of verb.examples)
        expect(command.split(' ').slice(0, 2)).toEqual(['bk', nameOf(verb)]);
    }
  });

  test('the examples are understood', () => {
    for (const [command] of VERBS.flatMap((verb) => verb.examples)) {
      const words = command.replace(/ > .*/, '').match(/"[^"]*"|\S+/g) ?? [];
      const argv = words.slice(1).map((word) => word.replaceAll('"', ''));
      expect(parse(argv, VERBS).is, command).toBe('verb');
    }
  });

  test('global options stand anywhere', () => {
    for (const argv of [
      ['-C', '/x', '--json', 'status'],
      ['status', '--json', '-C', '/x'],
      ['status', '-C/x', '--json'],
    ]) {
      // biome-ignore format: short
      const request = parse(argv, VERBS);
      expect(request.is === 'verb' && request.global).toEqual({
        directory: '/x',
        json: true,
        quiet: false,
        progress: true,
        color: 'auto',
        encoded: false,
      });
    }
  });

  test('paths stay text, whatever they look like', () => {
    expect(options('status', '007', '1e3', 'a.b', '', '0x10', 'true')['paths']).toEqual([
      '007',
      '1e3',
      'a.b',
      '',
      '0x10',
      'true',
    ]);
    const given = options('status', 'a', '--', '-x', '--json', '--', '--help');
    expect(given['paths']).toEqual(['a', '-x', '--json', '--', '--help']);
    expect(given['literal']).toEqual(['-x', '--json', '--', '--help']);
    expect(given['json']).toBeUndefined();
  });

  test('an option given twice means the last', () => {
    expect(options('commit', '-m', 'one', '-m', 'two')['message']).toBe('two');
    for (const text of ['-5 files', '- one\n- two', '--json', '', '-m']) {
      expect(options('commit', '-m', text, '--dry-run')).toMatchObject({ message: text, 'dry-run': true });
    }
  });

  test.each([
    [['stauts'], 'no such command: stauts', 'did you mean `bk status`?'],
    [['xyzzy'], 'no such command: xyzzy', '`bk --help` says what there is'],
    [['publish', 'a'], 'no such command: publish', '`bk --help` says what there is'],
    [['status', '--rehsah'], 'no such option: --rehsah', 'did you mean --rehash?'],
    [['status', '--jsn=1'], 'no such option: --jsn', 'did you mean --json?'],
    [['status', '-x'], 'no such option: -x', '`bk status --help` says what there is'],
    [['check', 'a'], 'too much on the command line: a', '`bk check --help` says what there is'],
    [['commit', '-m'], '-m: a value is missing', '`bk commit --help` says what there is'],
    [['--color', 'blue', 'status'], '--color: it must be one of "auto", "always", "never"', undefined],
    [[], 'no command given', '`bk --help` lists them'],
    [['--json'], 'no command given', '`bk --help` lists them'],
  ])('%j is refused: %s', (argv, message, hint) => {
    const refused = expect.objectContaining({ code: 'usage', message, ...(hint !== undefined && { hint }) });
    expect(() => parse(argv, VERBS)).toThrow(refused);
  });

  test('options of a verb are known to completion', () => {
    const commit = VERBS.find((verb) => nameOf(verb) === 'commit');
    expect(commit && optionsOf(commit)).toEqual(
      expect.arrayContaining(['--message', '-m', '--dry-run', '--json', '-C']),
    );
  });
});

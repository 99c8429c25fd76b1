import { BkError, closest } from '@bk/core';
import yargs, { type Argv } from 'yargs';
import type { GlobalOptions } from './session.ts';
import type { ColorChoice } from './terminal.ts';
import { nameOf, type Verb } from './verb.ts';

/** What a command line asks for. */
export type Request =
  | { readonly is: 'help'; readonly text: string }
  | { readonly is: 'version' }
  | { readonly is: 'verb'; readonly verb: Verb; readonly options: unknown; readonly global: GlobalOptions };

/** The options of every command as yargs gives them. */
interface Parsed {
  readonly C: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly 'no-progress'?: boolean;
  readonly color?: ColorChoice;
  readonly encoded?: boolean;
  readonly version?: boolean;
}

const GLOBAL = ['C', 'json', 'quiet', 'no-progress', 'color', 'encoded', 'version', 'help'];
const NOTES = `Paths are relative to the current folder, or to DIR with -C DIR. \`bk COMMAND --help\` says more.
Exit codes: 0 done; 1 done, and the answer is "no" or "not all"; 2 usage; 3 refused for safety;
4 could not; 5 .bk is damaged; 70 bug in bk; 130 interrupted.`;
/** Marks an argument after `--`, so that yargs takes it for a positional whatever it looks like; NUL is in no argument. */
const LITERAL = '\0-';
/** Marks a value in the same way. */
const TEXT = '\0=';
const MARKED = /^\0[-=]/;

/** @throws BkError `usage`, with what was probably meant */
export function parse(argv: readonly string[], verbs: readonly Verb[]): Request {
  let chosen: { verb: Verb; options: unknown } | undefined;
  let help = '';
  let lists: readonly string[] = [];
  const onBuilt = (builder: Argv): void => {
    lists = optionsKnown(builder).array;
  };
  const parser = commandLine({ verbs, argv, onBuilt }, (verb, options) => {
    chosen = { verb, options: tidied(options as object, lists) };
  });
  const given = parser.parseSync(withMarks(argv), {}, (_error, _parsed, output) => {
    help = output;
  }) as unknown as Parsed;
  if (help !== '') return { is: 'help', text: `${help}\n` };
  if (given.version) return { is: 'version' };
  if (chosen === undefined)
    throw new BkError('usage', 'no command given', { hint: '`bk --help` lists them' });
  return { is: 'verb', ...chosen, global: globalOptions(tidied(given, []) as Parsed) };
}

/** The options that a verb has, global ones included, as they are typed. */
export function optionsOf(verb: Verb): string[] {
  return keysOf(verb.options(globals(yargs([])))).map(typed);
}

interface Given {
  readonly verbs: readonly Verb[];
  readonly argv: readonly string[];
  readonly onBuilt: (builder: Argv) => void;
}

function commandLine({ verbs, argv, onBuilt }: Given, choose: (verb: Verb, options: unknown) => void): Argv {
  const parser = globals(yargs([]))
    .wrap(argv.includes('--help') ? helpWidth() : 100)
    .usage(
      'bk versions the metadata of ordinary folders and keeps what you delete.\n\nbk COMMAND [OPTION…] [PATH…]',
    )
    .epilogue(NOTES)
    .strict()
    .fail((message, error) => {
      if (error !== undefined && error.name !== 'YError') throw error;
      throw misuse(error?.message ?? message, verbs, argv);
    });
  for (const verb of verbsFor(argv, verbs)) {
    parser.command(
      verb.usage,
      verb.about,
      (builder) => {
        const built = verb.options(builder as Argv) as Argv;
        onBuilt(built);
        return described(built, verb, argv.includes('--help'));
      },
      (options) => choose(verb, options),
    );
  }
  return parser;
}

/** Only a verb that is among the words can be the one that is wanted; to know all of them takes yargs some ms. */
function verbsFor(argv: readonly string[], verbs: readonly Verb[]): readonly Verb[] {
  const named = verbs.filter((verb) => argv.includes(nameOf(verb)));
  return named.length === 0 || argv.includes('--help') ? verbs : named;
}

/** The verb's own help: its options before those of every command, its examples. */
function described(builder: Argv, verb: Verb, helpWanted: boolean): Argv {
  // yargs renders the help at every call, which costs 10 ms; of hidden options there is nothing to render.
  if (!helpWanted) return keysOf(builder).reduce((all, key) => all.hide(key), builder);
  for (const [command, does] of verb.examples) builder.example(command, does);
  const others = [...GLOBAL, ...positionals(verb), ...Object.values(optionsKnown(builder).alias).flat()];
  const own = keysOf(builder).filter((key) => !others.includes(key));
  return builder
    .wrap(helpWidth())
    .group(own, 'Options:')
    .group(GLOBAL, 'For every command:')
    .usage(`bk ${verb.synopsis ?? verb.usage}\n\n${verb.about}`)
    .epilogue('');
}

function globals(parser: Argv): Argv {
  return parser
    .scriptName('bk')
    .parserConfiguration({
      'parse-numbers': false,
      'parse-positional-numbers': false,
      'dot-notation': false,
      'boolean-negation': false,
      'greedy-arrays': false,
    })
    .locale('en')
    .exitProcess(false)
    .version(false)
    .options({
      C: { type: 'string', requiresArg: true, description: 'work in this folder' },
      json: { type: 'boolean', description: 'print the result as one JSON document' },
      quiet: { type: 'boolean', description: 'no progress, no notes' },
      'no-progress': { type: 'boolean', description: 'no progress line' },
      color: { choices: ['auto', 'always', 'never'], description: 'colours (default: on a terminal)' },
      encoded: { type: 'boolean', description: 'paths given are spelled as in --json' },
      version: { type: 'boolean', description: 'print the version' },
    })
    .help('help', 'print this help');
}

function globalOptions(given: Parsed): GlobalOptions {
  return {
    directory: given.C ?? '.',
    json: given.json === true,
    quiet: given.quiet === true,
    progress: given['no-progress'] !== true,
    color: given.color ?? 'auto',
    encoded: given.encoded === true,
  };
}

/** yargs' complaint in our words, with what was probably meant. */
function misuse(message: string, verbs: readonly Verb[], argv: readonly string[]): BkError {
  const verb = verbs.find((each) => argv.includes(nameOf(each)));
  const help = `\`bk ${verb === undefined ? '' : `${nameOf(verb)} `}--help\` says what there is`;
  const unknown = /^Unknown (?:argument|command)s?: ([^,]*)/.exec(message)?.[1]?.replace(MARKED, '');
  if (unknown !== undefined) return unknownWord(unknown, verb, { verbs, argv, help });
  const choice = /Argument: (\S+), Given: "(.*)", Choices: (.*)/.exec(message);
  const missing = /^Not enough arguments following: (.*)$/.exec(message)?.[1];
  if (choice !== null) {
    const name = choice[1] ?? '';
    const shown = verb !== undefined && positionals(verb).includes(name) ? name : typed(name);
    return new BkError('usage', `${shown}: it must be one of ${choice[3]}`, { hint: help });
  }
  if (missing !== undefined)
    return new BkError('usage', `${typed(missing)}: a value is missing`, { hint: help });
  if (/^Not enough non-option arguments/.test(message)) {
    const wanted = /<([a-z]+)/.exec(verb?.usage ?? '')?.[1] ?? 'something';
    return new BkError('usage', `${wanted} missing on the command line`, { hint: help });
  }
  return new BkError('usage', message.charAt(0).toLowerCase() + message.slice(1), { hint: help });
}

interface Around {
  readonly verbs: readonly Verb[];
  readonly argv: readonly string[];
  readonly help: string;
}

function unknownWord(word: string, verb: Verb | undefined, { verbs, argv, help }: Around): BkError {
  const option = argv.some(
    (argument) => argument.startsWith('-') && argument.split('=', 1)[0]?.endsWith(word),
  );
  if (option && !argv.includes(word)) {
    const near = closest(typed(word), verb === undefined ? GLOBAL.map(typed) : optionsOf(verb));
    return new BkError('usage', `no such option: ${typed(word)}`, {
      hint: near ? `did you mean ${near}?` : help,
    });
  }
  if (verb !== undefined)
    return new BkError('usage', `too much on the command line: ${word}`, { hint: help });
  const near = closest(word, verbs.map(nameOf));
  return new BkError('usage', `no such command: ${word}`, {
    hint: near ? `did you mean \`bk ${near}\`?` : help,
  });
}

function typed(name: string): string {
  return name.length === 1 ? `-${name}` : `--${name}`;
}

function helpWidth(): number {
  return Math.min(100, process.stderr.columns || 100);
}

function positionals({ usage }: Verb): string[] {
  return [...usage.matchAll(/[<[]([a-z]+)/g)].map(([, name]) => name ?? '');
}

function keysOf(parser: Argv<unknown>): string[] {
  return Object.keys(optionsKnown(parser).key);
}

interface OptionsKnown {
  readonly key: object;
  /** Those that are lists. */
  readonly array: readonly string[];
  /** Further names of an option. */
  readonly alias: Readonly<Record<string, readonly string[]>>;
}

/** What a parser knows by now. yargs keeps it, but its types do not say so. */
function optionsKnown(parser: Argv<unknown>): OptionsKnown {
  return (parser as unknown as { getOptions(): OptionsKnown }).getOptions();
}

/** Options whose value is free text and may begin with a dash. */
const FREE_TEXT = ['-m', '--message', '--name'];

function withMarks(argv: readonly string[]): string[] {
  const marked: string[] = [];
  for (const argument of argv) {
    if (marked.includes('--')) marked.push(LITERAL + argument);
    else marked.push(FREE_TEXT.includes(marked.at(-1) ?? '') ? TEXT + argument : argument);
  }
  return marked.filter((argument) => argument !== '--');
}

/**
 * The options as a verb wants them: marks taken off, of an option given twice the last value.
 * `literal`: the arguments that stood after `--`.
 */
function tidied(options: object, lists: readonly string[]): unknown {
  const strings = Object.values(options)
    .flat()
    .filter((value) => typeof value === 'string');
  const literal = strings.filter((value) => value.startsWith(LITERAL)).map(unmarked);
  const entries = Object.entries(options).map(([key, value]) => {
    const isRepeated = Array.isArray(value) && key !== '_' && !lists.includes(key);
    return [key, unmarked(isRepeated ? value.at(-1) : value)];
  });
  return { ...Object.fromEntries(entries), literal };
}

function unmarked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarked);
  return typeof value === 'string' ? value.replace(MARKED, '') : value;
}

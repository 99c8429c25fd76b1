import { BkError } from '@bk/core';
import { argumentsOf } from './arguments.ts';
import { INTERRUPTED, reportError } from './errors.ts';
import { writeOut } from './output.ts';
import { parse } from './parse.ts';
import { Session } from './session.ts';
import { styleFor } from './terminal.ts';
import { VERBS } from './verbs/index.ts';
import { version } from './version.ts';

/** One command from its arguments (without node and script) to its exit code; prints everything itself, throws nothing. */
export async function main(argv: readonly string[]): Promise<number> {
  const command: Command = { argv: argumentsOf(argv), json: asksForJson(argv), session: undefined };
  endOnSignals(command);
  process.once('uncaughtException', (error) => process.exit(failed(error, command)));
  try {
    return await perform(command);
  } catch (error) {
    return failed(error, command);
  }
}

interface Command {
  readonly argv: readonly string[];
  readonly json: boolean;
  session: Session | undefined;
}

async function perform(command: Command): Promise<number> {
  const request = parse(command.argv, VERBS);
  if (request.is === 'help') writeOut(request.text);
  if (request.is === 'version') {
    writeOut(command.json ? `${JSON.stringify({ version: version() })}\n` : `bk ${version()}\n`);
  }
  if (request.is !== 'verb') return 0;
  const session = new Session(request.global);
  command.session = session;
  try {
    return await request.verb.run(request.options, session);
  } finally {
    session.close();
  }
}

function failed(error: unknown, { json, session }: Command): number {
  session?.clearLine();
  return reportError(error, { json, style: styleFor(2, session?.options.color ?? 'auto') });
}

/** Whatever was under way is finished or undone by the next command, as after any other death of the process. */
function endOnSignals(command: Command): void {
  const end = () => process.exit(failed(new BkError('interrupted', INTERRUPTED), command));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
}

/** Before the command line is understood, and when it cannot be. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json');
}

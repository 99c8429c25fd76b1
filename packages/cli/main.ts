import { argumentsOf } from './arguments.ts';
import { reportError } from './errors.ts';
import { writeErr, writeOut } from './output.ts';
import { parse } from './parse.ts';
import { Session } from './session.ts';
import { styleFor } from './terminal.ts';
import { VERBS } from './verbs/index.ts';
import { version } from './version.ts';

const INTERRUPTED = 'interrupted; give the same command again to go on';

/**
 * One command from its arguments (without node and script) to its exit code. Prints everything itself, throws nothing.
 */
export async function main(given: readonly string[]): Promise<number> {
  let json = asksForJson(given);
  let session: Session | undefined;
  const giveUp = () => {
    session?.clearLine();
    writeErr(`bk: ${INTERRUPTED}\n`);
    process.exit(130);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, giveUp);
  try {
    const request = parse(argumentsOf(given), VERBS);
    if (request.is === 'help') writeOut(request.text);
    if (request.is === 'version')
      writeOut(json ? `${JSON.stringify({ version: version() })}\n` : `bk ${version()}\n`);
    if (request.is !== 'verb') return 0;
    json = request.global.json;
    session = new Session(request.global);
    return await request.verb.run(request.options, session);
  } catch (error) {
    session?.clearLine();
    return reportError(error, { json, style: styleFor(2, 'auto') });
  } finally {
    session?.close();
  }
}

/** Before the command line is understood, and when it cannot be. */
function asksForJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end < 0 ? argv : argv.slice(0, end)).includes('--json');
}

import type { LogEntry, LogResult } from '@bk/repo';
import { summaryText } from '../changes.ts';
import { localTime } from '../format.ts';
import { childrenFirst, type GraphEdge, graph } from '../graph.ts';
import { wholeNumber } from '../quantity.ts';
import { type Style, safe, safeLines, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

export const log = verb({
  usage: 'log [path]',
  about: 'the history, of one file through its renames',
  examples: [
    ['bk log -n 10', 'the last ten commits'],
    ['bk log Pictures/cat.jpg', 'every commit that changed the file, under whatever name'],
  ],
  options: (yargs) =>
    yargs
      .positional('path', { type: 'string', describe: 'a file or folder, of now or of earlier' })
      .option('number', {
        alias: 'n',
        type: 'string',
        requiresArg: true,
        describe: 'at most so many commits',
      })
      .option('graph', { type: 'boolean', describe: 'draw how the commits hang together' }),
  async run({ path, number, graph }, session) {
    const limit = number === undefined ? undefined : wholeNumber(number, '-n');
    const { log } = await import('@bk/repo');
    const repository = await session.open();
    const below = session.path(repository, path);
    const options = { ...(below !== undefined && { path: below }), ...(limit !== undefined && { limit }) };
    const result = log(repository, options, session.context);
    session.result(result, (found) => logText(found, session.style, graph === true));
    return 0;
  },
});

function logText({ commits }: LogResult, style: Style, drawn: boolean): string {
  if (commits.length === 0) return 'no commit yet\n';
  const entries = drawn ? childrenFirst(commits) : commits;
  const edges = drawn ? graph(entries) : [];
  return entries.flatMap((entry, i) => besideGraph(entryLines(entry, style), edges[i])).join('');
}

function besideGraph(lines: readonly string[], edge: GraphEdge | undefined): string[] {
  if (edge === undefined) return lines.map((line) => `${line}\n`);
  const { own, turns, below } = edge;
  const all = [...lines, ...turns.slice(Math.max(0, lines.length - 1)).map(() => '')];
  return all.map((line, i) => `${((i === 0 ? own : (turns[i - 1] ?? below)) + line).trimEnd()}\n`);
}

function entryLines(entry: LogEntry, style: Style): string[] {
  const { commit, time, author, message, summary, path } = entry;
  const head = `${style('yellow', commit.slice(0, 10))}  ${localTime(time)}  ${style('dim', safe(author))}`;
  const text = message.trimEnd() === '' ? [] : safeLines(message.trimEnd()).split('\n');
  const changed = summaryText(summary);
  const notes = [
    ...(changed === '' ? [] : [changed]),
    ...(path === undefined ? [] : [`as ${shownPath(path)}`]),
  ];
  return [
    head,
    ...text.map((line) => `    ${line}`),
    ...notes.map((note) => `    ${style('dim', note)}`),
    '',
  ];
}

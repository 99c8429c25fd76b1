import { BkError } from '@bk/core';
import type { LostMark, RemoteAbout, RemoteOptions, RemoteResult, RemoteValue } from '@bk/repo';
import { count, localTime, size, table } from '../format.ts';
import { type Style, safe } from '../terminal.ts';
import { verb } from '../verb.ts';

export const remote = verb({
  usage: 'remote [do] [name] [address]',
  synopsis: 'remote [list | add NAME ADDRESS | remove NAME [--lost] | show NAME]',
  about: 'other repositories by name: list, add, remove, show',
  examples: [
    ['bk remote', 'all that are known, and when they were last seen'],
    ['bk remote add disk2 /mnt/disk2/Pictures', 'plugged in or not'],
    ['bk remote add hub https://git.example.org/ada/pictures.git', 'an empty repository at a git host'],
    ['bk remote add nas ssh://ann@nas/srv/photos', 'on another machine, where bk is installed too'],
    ['bk remote show disk2', 'what it wants to hold, how its history stands to this one, what is free there'],
    ['bk remote remove disk2', 'forgets the name; nothing changes there, and what is there goes on counting'],
    ['bk remote remove disk2 --lost', 'the disk is dead or gone: it counts as a copy of nothing any more'],
  ],
  options: (yargs) =>
    yargs
      .positional('do', {
        choices: ['list', 'add', 'remove', 'show'] as const,
        default: 'list' as const,
        describe: 'what to do',
      })
      .positional('name', { type: 'string', describe: 'the name that it has here' })
      .positional('address', {
        type: 'string',
        describe: 'where it is: a folder, ssh://HOST/PATH, HOST:PATH, or https://… at a git host',
      })
      .option('lost', {
        type: 'boolean',
        describe:
          'with remove: never rely on it again, unless `bk verify` there says that all is right; takes an id too',
      }),
  async run(given, session) {
    const options = wanted(given, session.directory);
    const { remote } = await import('@bk/repo');
    const result = await remote(await session.open(), options, session.context);
    session.result(result, (all) => text(all, options, session.style), []);
    const [one] = result.remotes;
    if (options.do === 'add' && one?.reachable === false)
      session.warn(`note: ${safe(one.reason ?? 'it is out of reach now')}; it is known all the same`);
    if (options.do === 'add' && one?.lostSince !== undefined)
      session.warn(`note: ${safe(one.name)} is lost since ${localTime(one.lostSince)}; ${COMES_BACK}`);
    for (const { id, name } of one?.sameVolume ?? [])
      session.warn(
        `note: ${safe(name)} is on the same volume and still counts; if it is lost too: bk remote remove ${id} --lost`,
      );
    return options.do === 'show' && one?.reachable === false ? 1 : 0;
  },
});

const COMES_BACK = 'it counts again after `bk verify` there and `bk fetch` here';

interface Given {
  readonly do: RemoteOptions['do'];
  readonly name: string | undefined;
  readonly address: string | undefined;
  readonly lost: boolean | undefined;
}

function wanted({ do: what, name, address, lost = false }: Given, directory: string): RemoteOptions {
  if (lost && what !== 'remove') throw new BkError('usage', `--lost goes with remove, not with ${what}`);
  if (what === 'list') {
    if (name !== undefined)
      throw new BkError('usage', 'remote list takes no name', { hint: 'bk remote show NAME' });
    return { do: what };
  }
  if (name === undefined) throw new BkError('usage', `remote ${what} needs the name of a remote`);
  if (what !== 'add') {
    if (address !== undefined) throw new BkError('usage', `remote ${what} takes a name and nothing else`);
    return what === 'remove' ? { do: what, name, lost } : { do: what, name };
  }
  if (address === undefined)
    throw new BkError('usage', 'remote add needs a name and an address', {
      hint: 'bk remote add NAME FOLDER',
    });
  return { do: what, name, address, directory };
}

function text({ remotes, lost = [] }: RemoteResult, options: RemoteOptions, style: Style): string {
  const [one] = remotes;
  if (options.do === 'show' && one !== undefined) return shown(one, style);
  if (options.do === 'remove' && one !== undefined) return options.lost ? gaveUp(one) : removed(one);
  if (one === undefined && lost.length === 0) return 'no remotes; see `bk remote add`\n';
  return table([
    ...remotes.map((each) => [
      style('bold', safe(each.name)),
      safe(each.address ?? ''),
      seen(each, style),
      lostText(each, style),
    ]),
    ...lost.map((each) => [safe(each.name ?? each.id), style('dim', 'no remote'), '', lostText(each, style)]),
  ]);
}

function removed({ name, lost }: RemoteValue): string {
  const counts = lost ? 'it was lost before' : 'what it said last that it holds still counts';
  return `${safe(name)} is no remote any more; ${counts}\n`;
}

function gaveUp({ name, lostSince = '' }: RemoteValue): string {
  const since = `${safe(name)} is lost since ${localTime(lostSince)}: it counts as a copy of nothing any more\n`;
  return `${since}should it come back, ${COMES_BACK}; \`bk copies\` says what has too few copies now\n`;
}

function lostText({ lostSince }: Partial<LostMark>, style: Style): string {
  return lostSince === undefined ? '' : style('yellow', `lost since ${localTime(lostSince)}`);
}

function seen({ lastSeen }: RemoteValue, style: Style): string {
  return style('dim', lastSeen === null ? 'never seen' : `seen ${localTime(lastSeen)}`);
}

function shown(remote: RemoteValue, style: Style): string {
  const { name, address, id, lastSeen, about, reachable, reason } = remote;
  const rows: string[][] = [
    ['address', safe(address ?? '')],
    ['id', id ?? style('dim', 'not known yet')],
    ['now', reachable ? style('green', 'within reach') : style('yellow', safe(reason ?? 'out of reach'))],
    ['last seen', lastSeen === null ? style('dim', 'never') : localTime(lastSeen)],
    ...(remote.lost
      ? [['counts', `${style('yellow', 'no')}: ${lostText(remote, style)}; ${COMES_BACK}`]]
      : []),
    ...(about === undefined || about === null ? [] : aboutRows(about, style)),
  ];
  return `${style('bold', safe(name))}\n${table(rows.map(([title = '', value = '']) => [`  ${title}`, value]))}`;
}

function aboutRows(
  { name, volume, subset, head, ahead, behind, freeBytes, historyOnly }: RemoteAbout,
  style: Style,
): string[][] {
  return [
    ['calls itself', safe(name)],
    ...(historyOnly
      ? [['keeps', 'the history, and what others hold; no contents']]
      : [
          ['volume', safe(volume)],
          ['wants', subsetText(subset)],
        ]),
    [
      'head',
      head === null ? style('dim', 'no commit yet') : `${head.slice(0, 10)}  ${standing(ahead, behind)}`,
    ],
    ...(freeBytes === null ? [] : [['free', size(freeBytes)]]),
  ];
}

function subsetText({ include, exclude }: RemoteAbout['subset']): string {
  const what = include.length === 0 ? 'everything' : include.map(safe).join(', ');
  return exclude.length === 0 ? what : `${what}, without ${exclude.map(safe).join(', ')}`;
}

function standing(ahead: number | null, behind: number | null): string {
  if (ahead === null || behind === null) return 'has commits that are not here: `bk fetch` brings them';
  if (ahead === 0 && behind === 0) return 'as here';
  const parts = [
    ...(ahead > 0 ? [`${commits(ahead)} more than here`] : []),
    ...(behind > 0 ? [`${commits(behind)} fewer`] : []),
  ];
  return parts.join(', ');
}

function commits(number: number): string {
  return `${count(number)} ${number === 1 ? 'commit' : 'commits'}`;
}

import { BkError, type RepoPath } from '@bk/core';
import type { Entity, EntityOptions, EntityResult } from '@bk/repo';
import { attributesText } from '../attributes.ts';
import { counted, size, table } from '../format.ts';
import { plainPaths } from '../json.ts';
import { type Style, safe, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

export const entity = verb({
  usage: 'entity [do] [path]',
  synopsis: 'entity [list | init PATH --kind K --title T | split PATH | show PATH]',
  about: 'folders that are one thing (album, project, film): never cut by a subset or a drop',
  examples: [
    ['bk entity', 'which there are, projects with a .git of their own too'],
    ['bk entity init Pictures/Norway --kind album --title "Norway 2019"', 'this folder is one album'],
    ['bk entity split Pictures/Norway', 'its sub-folders are albums of their own instead'],
    ['bk entity show Pictures/Norway/boat.jpg', 'the one that a file is in'],
  ],
  options: (yargs) =>
    yargs
      .positional('do', {
        choices: ['list', 'init', 'split', 'show'] as const,
        default: 'list' as const,
        describe: 'tell all, make one, make its sub-folders some, tell one',
      })
      .positional('path', { type: 'string', describe: 'a folder that is committed, here or not' })
      .option('kind', { type: 'string', requiresArg: true, describe: 'what it is: album, project, film …' })
      .option('title', { type: 'string', requiresArg: true, describe: 'what it is called' })
      .option('atomic', {
        type: 'boolean',
        describe: 'if two places change it, a merge keeps it twice instead of blending it',
      }),
  async run({ do: what, path: given, kind, title, atomic }, session) {
    const { entity } = await import('@bk/repo');
    const repository = await session.open();
    const path = session.path(repository, given);
    const init = { kind, title, atomic: atomic === true };
    const result = entity(repository, optionsOf(what, path, init), session.context);
    session.result(forPrograms(result), () => entityText(result, session.style, what), []);
    return 0;
  },
});

interface Init {
  readonly kind: string | undefined;
  readonly title: string | undefined;
  readonly atomic: boolean;
}

function optionsOf(
  what: EntityOptions['do'],
  path: RepoPath | undefined,
  { kind, title, atomic }: Init,
): EntityOptions {
  if (what !== 'init' && (kind !== undefined || title !== undefined || atomic))
    throw new BkError('usage', '--kind, --title and --atomic go with `bk entity init`', {
      hint: 'later `bk tag PATH --set title=…` changes them',
    });
  if (what === 'list') {
    if (path !== undefined) throw new BkError('usage', '`bk entity list` takes no path');
    return { do: what };
  }
  if (path === undefined) throw new BkError('usage', `\`bk entity ${what}\` needs a path`);
  if (what !== 'init') return { do: what, path };
  if (kind === undefined)
    throw new BkError('usage', '--kind is missing', { hint: 'for example --kind album' });
  return { do: what, path, kind, atomic, ...(title !== undefined && { title }) };
}

/** Attributes are the person's: nothing in them is taken for a path of ours. */
function forPrograms({ entities, ...result }: EntityResult): object {
  const plain = ({ attrs, ...one }: Entity) => ({ ...(plainPaths(one, ['path']) as object), attrs });
  return { ...result, entities: entities.map(plain) };
}

function entityText({ entities, commit }: EntityResult, style: Style, what: EntityOptions['do']): string {
  if (entities.length === 0) return 'no entities\n';
  const rows = entities.map(({ path, kind, title, attrs: { title: _title, ...attrs }, files, bytes }) => [
    shownPath(path),
    style('cyan', safe(kind)),
    safe(title ?? ''),
    `${counted(files, 'file')}, ${size(bytes)}`,
    Object.keys(attrs).length === 0 ? '' : attributesText(attrs, style),
  ]);
  const nothing = commit === null && what !== 'list' ? 'nothing to change\n' : '';
  return `${table(rows)}${nothing}`;
}

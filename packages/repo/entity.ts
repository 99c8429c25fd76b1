import {
  BkError,
  comparePaths,
  editAttributes,
  entityAround,
  type GitId,
  type JsonObject,
  KIND,
  nameOf,
  type ObjectId,
  PROJECT_KIND,
  parseAttributeEdit,
  parseEntityKind,
  type Rec,
  type RepoPath,
  ROOT,
} from '@bk/core';
import type { Context } from './context.ts';
import { commitRecords, type RecordEdit } from './history/commit-records.ts';
import { idSource } from './history/records.ts';
import { entryPath } from './observe/draft.ts';
import { type HeadEntity, headEntities } from './observe/head-entities.ts';
import { headObject } from './observe/head-objects.ts';
import type { Repository } from './repository.ts';
import { freshFolder } from './tag.ts';

export type EntityOptions =
  | { readonly do: 'list' }
  | { readonly do: 'show'; readonly path: RepoPath }
  | {
      readonly do: 'init';
      readonly path: RepoPath;
      readonly kind: string;
      readonly title?: string;
      /** A merge does not blend it. */
      readonly atomic?: boolean;
    }
  | { readonly do: 'split'; readonly path: RepoPath };

export interface Entity {
  /** Null: a folder that owns a `.git` and has no record of its own yet. */
  readonly id: ObjectId | null;
  readonly path: RepoPath;
  readonly kind: string;
  readonly title: string | null;
  readonly attrs: JsonObject;
  /** In it, nested entities included. */
  readonly files: number;
  readonly bytes: number;
}

export interface EntityResult {
  /** Those that were asked for, or made. */
  readonly entities: readonly Entity[];
  /** Only if something was to be made; null: nothing changed. */
  readonly commit?: GitId | null;
}

/**
 * Folders that are one thing: which there are, and which are to be. What is made is a commit of its own that changes
 * records only.
 * @throws BkError `not-found`, `usage`, `refused`, `locked`, `io`
 */
export function entity(repo: Repository, options: EntityOptions, context: Context): EntityResult {
  switch (options.do) {
    case 'list':
      return { entities: [...headEntities(repo).values()].map(told) };
    case 'show':
      return { entities: [told(at(repo, options.path))] };
    case 'init':
      return init(repo, options, context);
    case 'split':
      return split(repo, options.path, context);
  }
}

function told({ path, record, files, bytes }: HeadEntity): Entity {
  const { id = null, entity: kind = PROJECT_KIND, attrs = {} } = record ?? {};
  const title = typeof attrs['title'] === 'string' ? attrs['title'] : null;
  return { id, path, kind, title, attrs, files, bytes };
}

/** The entity at a path, else the outermost that it is in. */
function at(repo: Repository, path: RepoPath): HeadEntity {
  const entities = headEntities(repo);
  const around = entities.has(path) ? path : entityAround(path, new Set(entities.keys()));
  const found = around === undefined ? undefined : entities.get(around);
  if (found !== undefined) return found;
  throw new BkError('not-found', `${path === ROOT ? 'the root' : path} is no entity, nor in one`, {
    path,
    hint: '`bk entity list` lists them; `bk entity init PATH --kind KIND` makes one',
  });
}

function init(
  repo: Repository,
  { path, kind, title, atomic = false }: Extract<EntityOptions, { do: 'init' }>,
  context: Context,
): EntityResult {
  const said = { entity: parseEntityKind(kind) };
  const set = [...(title === undefined ? [] : [`title=${title}`]), ...(atomic ? ['atomic=true'] : [])];
  const edit = parseAttributeEdit({ set });
  repo.beginWriting();
  const object = headObject(repo, path);
  if (!object.isFolder || path === ROOT)
    throw new BkError(
      'usage',
      `cannot make ${path === ROOT ? 'the root' : path} an entity: only folders in it`,
      {
        path,
      },
    );
  const { attrs: before, ...rest } = object.record ?? freshFolder(idSource(context));
  const attrs = editAttributes(before, edit);
  const record: Rec = { ...rest, ...said, ...(attrs && { attrs }) };
  return committed(
    repo,
    [{ path, isFolder: true, record }],
    { message: `Entity ${path}`, of: [path] },
    context,
  );
}

/** The sub-folders become entities of its kind, and it is none any more: of nested ones the outer would decide. */
function split(repo: Repository, path: RepoPath, context: Context): EntityResult {
  repo.beginWriting();
  const entities = headEntities(repo);
  const outer = entities.get(path);
  if (outer === undefined) throw new BkError('not-found', `${path} is no entity`, { path });
  const kind = outer.record?.entity;
  if (kind === undefined || outer.ownsGit)
    throw new BkError(
      'refused',
      `refused: ${path} owns a .git, which is one thing with all that is around it`,
      {
        path,
      },
    );
  const folders = foldersIn(repo, path);
  if (folders.length === 0)
    throw new BkError('refused', `refused: ${path} has no folders to split it into`, { path });
  const newId = idSource(context);
  const edits: RecordEdit[] = folders
    .filter((folder) => entities.get(folder)?.record?.entity === undefined)
    .map((folder) => {
      const { record = freshFolder(newId) } = headObject(repo, folder);
      const title = { title: record.attrs?.['title'] ?? titleOf(folder) };
      return {
        path: folder,
        isFolder: true,
        record: { ...record, entity: kind, attrs: { ...record.attrs, ...title } },
      };
    });
  const { entity: _entity, ...rest } = outer.record!;
  // Its record stays, and with it its id.
  edits.push({ path, isFolder: true, record: rest });
  return committed(repo, edits, { message: `Split ${path}`, of: folders }, context);
}

function titleOf(folder: RepoPath): string {
  return nameOf(folder).normalize('NFC');
}

function foldersIn({ index }: Repository, path: RepoPath): RepoPath[] {
  const listing = index.known(path)?.listing;
  if (listing === undefined) return [];
  return listing.names.flatMap((_, k) =>
    k > 0 && listing.kinds[k] === KIND.dir ? [entryPath(path, listing, k)] : [],
  );
}

function committed(
  repo: Repository,
  edits: readonly RecordEdit[],
  { message, of }: { readonly message: string; readonly of: readonly RepoPath[] },
  context: Context,
): EntityResult {
  const { head } = repo;
  const commit = commitRecords(repo, { edits, message }, context);
  const entities = headEntities(repo);
  const made = of.flatMap((path) => entities.get(path) ?? []);
  return {
    entities: made.map(told).sort((a, b) => comparePaths(a.path, b.path)),
    commit: commit === head ? null : commit,
  };
}

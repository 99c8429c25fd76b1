import {
  DIRECTORY_RECORD,
  encodeName,
  type FsName,
  type GitId,
  hasOwnRecord,
  KIND,
  type KnownDirectory,
  type RepoPath,
} from '@bk/core';
import { type HistoryReader, inspectIndex } from '@bk/store';
import { recordAt } from '../observe/draft.ts';
import type { Repository } from '../repository.ts';
import { AbsenceCheck } from './absence.ts';
import type { Problems } from './problems.ts';

export interface IndexCheck {
  readonly head: GitId | undefined;
  /** Trees of the head's folders. */
  readonly folders: ReadonlyMap<RepoPath, GitId>;
  readonly problems: Problems;
}

const DATABASE = 'index.sqlite';

/** Each row intact, and exactly the rows and entries that the head's tree has. */
export function checkIndex(repo: Repository, { head, folders, problems }: IndexCheck): void {
  const missing = new Set(folders.keys());
  const found: [RepoPath, string][] = [];
  const absence = new AbsenceCheck();
  const index = inspectIndex(repo.layout.index, (path, known) => {
    missing.delete(path);
    const why = rowFlaw(repo.history, known, folders.get(path));
    if (why !== undefined) found.push([path, why]);
    else if (known !== undefined) absence.see(path, known);
  });
  if (index === undefined) {
    if (head !== undefined) problems.add('index', DATABASE, 'it is missing');
  } else if (index.broken !== undefined)
    problems.add('index', DATABASE, `it cannot be read: ${index.broken}`);
  else if (index.head !== head)
    problems.add('index', DATABASE, `it mirrors ${index.head ?? 'no commit'}, not ${head ?? 'none'}`);
  else {
    for (const [path, why] of found) problems.add('index', path, why);
    for (const path of missing) problems.add('index', path, 'its row is missing');
    for (const path of index.damagedPending)
      problems.add('index', path, 'its pending row does not match its checksum');
    if (found.length + missing.size > 0) return;
    absence.reportFlags(problems);
    absence.reportPresence(repo, { problems, folders, known: index.presence });
  }
}

function rowFlaw(
  history: HistoryReader,
  known: KnownDirectory | undefined,
  tree: GitId | undefined,
): string | undefined {
  if (known === undefined) return 'its row does not match its checksum';
  if (tree === undefined) return 'its row is about a folder that the head does not have';
  if (known.tree !== tree) return 'its row is about another tree than the head’s';
  const rest = entriesOf(known);
  for (const { name, kind, id } of history.readTree(tree)) {
    if (rest.get(name) !== (kind === 'tree' ? FOLDER : id))
      return `its row does not agree with the head about ${name}`;
    rest.delete(name);
  }
  const [extra] = rest.keys();
  return extra === undefined ? undefined : `its row has ${extra}, which the head does not have`;
}

const FOLDER = '';

/** What a row says its tree holds: records by name. */
function entriesOf(known: KnownDirectory): Map<string, string> {
  const { names, kinds } = known.listing;
  const entries = new Map<string, string>();
  for (let k = 1; k < names.length; k++) {
    entries.set(encodeName(names[k] as FsName), kinds[k] === KIND.dir ? FOLDER : recordAt(known, k));
  }
  if (hasOwnRecord(known)) entries.set(DIRECTORY_RECORD, recordAt(known, 0));
  return entries;
}

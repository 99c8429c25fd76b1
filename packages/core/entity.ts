import { ATTRIBUTE_LIMITS } from './attributes.ts';
import { BkError } from './error.ts';
import { nameOf, parentOf, type RepoPath } from './path.ts';

/** Kind of a folder that owns a `.git` and was not said to be of another. */
export const PROJECT_KIND = 'git';

/** What a person calls an entity's kind: album, project, film … @throws BkError 'usage' */
export function parseEntityKind(text: string): string {
  const kind = text.normalize('NFC').trim();
  const isGood =
    kind !== '' && [...kind].length <= ATTRIBUTE_LIMITS.key && !/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(kind);
  if (isGood) return kind;
  throw new BkError(
    'usage',
    `--kind ${JSON.stringify(text)}: a kind is a word or two, at most ${ATTRIBUTE_LIMITS.key} characters`,
    {
      hint: 'for example album, project or film',
    },
  );
}

/** The outermost of these folders that a path is, or is in: of nested entities the outer one decides. */
export function entityAround(path: RepoPath, roots: ReadonlySet<RepoPath>): RepoPath | undefined {
  let found: RepoPath | undefined;
  for (let at = path; nameOf(at) !== ''; at = parentOf(at)) if (roots.has(at)) found = at;
  return found;
}

import { git } from './history.ts';
import { idOf } from './presence.ts';

/**
 * Makes a repository believe that another one, which is not plugged in, holds what it holds itself now: its own presence
 * under another id, name and volume, written by git.
 * @param digit one hex digit, of which the other's id is made
 */
export function knowUnplugged(
  root: string,
  digit: string,
  { name, volume }: { name: string; volume: string },
): void {
  const id = '8-4-4-4-12'.replace(/\d+/g, (count) => digit.repeat(Number(count)));
  const own = idOf(root) ?? '';
  const ref = `refs/bk/repositories/${own}`;
  const facts = git(root, ['cat-file', 'blob', `${ref}:repository.json`]).toString();
  const told = facts
    .replace(own, id)
    .replace(/^( "name": ).*$/m, `$1${JSON.stringify(name)},`)
    .replace(/^( "volume": )"[^"]*"/m, `$1${JSON.stringify(volume)}`);
  const blob = git(root, ['hash-object', '-w', '--stdin'], told).toString().trim();
  const present = git(root, ['rev-parse', `${ref}:present`])
    .toString()
    .trim();
  const entries = `040000 tree ${present}\tpresent\n100644 blob ${blob}\trepository.json\n`;
  const tree = git(root, ['mktree'], entries).toString().trim();
  const by = ['-c', 'user.name=bk', '-c', 'user.email=bk@localhost'];
  const commit = git(root, [...by, 'commit-tree', '-m', `presence of ${name}`, tree])
    .toString()
    .trim();
  git(root, ['update-ref', `refs/bk/repositories/${id}`, commit]);
}

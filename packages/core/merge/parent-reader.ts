import { parentOf, type RepoPath } from '../path.ts';

/** As parentOf; one and the same text for paths of one folder that come one after the other. */
export function parentReader(): (path: RepoPath) => RepoPath {
  let last = '' as RepoPath;
  return (path) => {
    const end = path.lastIndexOf('/');
    if (end > 0 && end === last.length && path.startsWith(last)) return last;
    last = parentOf(path);
    return last;
  };
}

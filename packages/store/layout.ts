import path from 'node:path';

/** Name of the hidden folder beside the user's files. */
export const DOT_BK = '.bk';

/** Where everything of bk's lies (SPEC 2); nothing of bk's lies outside `dot`. All absolute. */
export interface Layout {
  readonly root: string;
  readonly dot: string;
  readonly config: string;
  readonly history: string;
  readonly index: string;
  readonly safety: string;
  readonly staging: string;
  readonly journal: string;
  readonly lock: string;
}

export function layoutOf(root: string): Layout {
  const dot = path.join(root, DOT_BK);
  return {
    root,
    dot,
    config: path.join(dot, 'config.json'),
    history: path.join(dot, 'history'),
    index: path.join(dot, 'index.sqlite'),
    safety: path.join(dot, 'safety'),
    staging: path.join(dot, 'staging'),
    journal: path.join(dot, 'journal'),
    lock: path.join(dot, 'lock.sqlite'),
  };
}

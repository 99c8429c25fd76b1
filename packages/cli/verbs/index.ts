import type { Verb } from '../verb.ts';
import { check } from './check.ts';
import { commit } from './commit.ts';
import { completion } from './completion.ts';
import { config } from './config.ts';
import { diff } from './diff.ts';
import { doctor } from './doctor.ts';
import { init } from './init.ts';
import { log } from './log.ts';
import { ls } from './ls.ts';
import { recover } from './recover.ts';
import { reindex } from './reindex.ts';
import { restore } from './restore.ts';
import { safety } from './safety.ts';
import { show } from './show.ts';
import { status } from './status.ts';
import { verify } from './verify.ts';

const VERBS_OF_REPO: readonly Verb[] = [
  init,
  status,
  commit,
  log,
  show,
  ls,
  diff,
  recover,
  restore,
  safety,
  check,
  reindex,
  verify,
  config,
  doctor,
];

/** In the order in which help lists them. */
export const VERBS: readonly Verb[] = [...VERBS_OF_REPO, completion(VERBS_OF_REPO)];

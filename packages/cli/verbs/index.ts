import type { Verb } from '../verb.ts';
import { check } from './check.ts';
import { clone } from './clone.ts';
import { commit } from './commit.ts';
import { completion } from './completion.ts';
import { config } from './config.ts';
import { conflicts } from './conflicts.ts';
import { copies } from './copies.ts';
import { covered } from './covered.ts';
import { diff } from './diff.ts';
import { doctor } from './doctor.ts';
import { drop } from './drop.ts';
import { entity } from './entity.ts';
import { fetch } from './fetch.ts';
import { find } from './find.ts';
import { get } from './get.ts';
import { init } from './init.ts';
import { log } from './log.ts';
import { ls } from './ls.ts';
import { merge } from './merge.ts';
import { meta } from './meta.ts';
import { push } from './push.ts';
import { recover } from './recover.ts';
import { reindex } from './reindex.ts';
import { remote } from './remote.ts';
import { repair } from './repair.ts';
import { resolve } from './resolve.ts';
import { restore } from './restore.ts';
import { safety } from './safety.ts';
import { serve } from './serve.ts';
import { show } from './show.ts';
import { status } from './status.ts';
import { subset } from './subset.ts';
import { sync } from './sync.ts';
import { tag } from './tag.ts';
import { verify } from './verify.ts';
import { where } from './where.ts';

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
  clone,
  remote,
  fetch,
  push,
  merge,
  conflicts,
  resolve,
  sync,
  subset,
  get,
  drop,
  find,
  where,
  copies,
  covered,
  meta,
  tag,
  entity,
  check,
  reindex,
  verify,
  repair,
  config,
  doctor,
  serve,
];

/** In the order in which help lists them. */
export const VERBS: readonly Verb[] = [...VERBS_OF_REPO, completion(VERBS_OF_REPO)];

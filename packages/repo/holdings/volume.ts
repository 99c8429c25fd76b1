import { volumeOf } from '@bk/worktree';
import type { Repository } from '../repository.ts';

/** The volume of this repository, as its presence names it; of one without an id, something that no other is. */
export function ownVolume({ config, layout }: Pick<Repository, 'config' | 'layout'>): string {
  return config.volume?.id ?? volumeOf(layout.root).uuid ?? `bk:${config.id}`;
}

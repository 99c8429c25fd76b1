import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { presenceRef } from '@bk/core';
import { type Config, type Layout, readRef } from '@bk/store';
import { volumeFactsOfCopy } from './volume.ts';

/** A copy as a repository of its own. */
export interface Separated {
  readonly config: Config;
  /** For the person. */
  readonly notice: string;
}

/**
 * Who a copied `.bk` is from now on: a new id, the facts of its own volume, and the name that it had, unless the
 * original is known by it. What it was told of the original, the original's own presence too, stays.
 */
export function separated({ root, history }: Pick<Layout, 'root' | 'history'>, config: Config): Separated {
  const { volume: before, ...kept } = config;
  const isKnown = readRef(history, presenceRef(config.id)) !== undefined;
  const taken = new Set(Object.keys(config.remotes ?? {}));
  if (isKnown) taken.add(config.name);
  const name = freeName(config.name, path.basename(root), taken);
  const called = name === config.name ? '' : `, and is called “${name}”`;
  // A copy that has said nothing yet goes by the word of the one that it is a copy of itself; so does its copy.
  const copyOf = isKnown ? config.id : (config.copyOf ?? config.id);
  return {
    config: { ...kept, id: randomUUID(), name, copyOf, volume: volumeFactsOfCopy(root, before) },
    notice: `this is a copy of “${config.name}”: it has an id of its own now${called}`,
  };
}

function freeName(name: string, folder: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  if (isPlain(folder) && !taken.has(folder)) return folder;
  for (let n = 2; ; n++) {
    const numbered = `${[...name].slice(0, 24).join('').trim()} ${n}`;
    if (!taken.has(numbered)) return numbered;
  }
}

function isPlain(folder: string): boolean {
  return /^[\p{L}\p{N}][\p{L}\p{M}\p{N} ._+-]*$/u.test(folder) && Buffer.byteLength(folder) <= 100;
}

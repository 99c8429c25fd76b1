import path from 'node:path';
import { BkError, type JsonValue } from '@bk/core';
import { type CloneContext, type CloneWish, checkedFacts, LIMITS, parseAddress } from '@bk/remote';
import { layoutOf, readConfig } from '@bk/store';
import { type CloneOptions, clone } from '../clone.ts';
import type { Context } from '../context.ts';
import { type Place, placeBelow, placeOf } from './place.ts';

/**
 * Makes a clone here of the repository that the asking side offers; an interrupted one goes on when it is asked for
 * again. @returns what the other side is told of it
 * @throws BkError 'refused' for a wish that is none, and what `clone` throws
 */
export async function cloneHere(
  wish: CloneWish,
  { remote, report }: CloneContext,
  root: string | undefined,
  context: Context,
): Promise<JsonValue> {
  const { origin, ...wanted } = checkedOptions(wish.options);
  const facts = checkedFacts(await remote.facts());
  const from = { peer: remote, facts, ...(origin !== undefined && { address: origin }) };
  const place = destination(wish.path, root);
  try {
    const options = { ...wanted, from, pinned: root !== undefined };
    const made = await clone(place.path, options, { ...context, report });
    const { id, commit, files, bytes, missing, warnings } = made;
    const name = readConfig(layoutOf(place.path).config)?.name ?? '';
    const problems = missing.map((one) => ({ path: one.path, reason: one.reason }));
    return { id, commit, files, bytes, missing: problems, warnings: [...warnings], name };
  } finally {
    place.close();
  }
}

/** Of one that is kept to a folder, the parent is held: the new folder is made in that very one. */
function destination(given: string, root: string | undefined): Place {
  if (root === undefined) return placeOf(given);
  const plain = given.replace(/\/+$/, '');
  const name = path.posix.basename(plain);
  if (['', '.', '..', '~'].includes(name) || plain.includes('\0'))
    throw new BkError('refused', `cannot clone to ${given}: it is no name for a folder`, { path: given });
  const parent = placeBelow(root, path.posix.dirname(plain));
  return { path: `${parent.path}/${name}`, close: () => parent.close() };
}

type Checked = Pick<CloneOptions, 'include' | 'exclude' | 'name'> & { readonly origin?: string };

function checkedOptions(said: JsonValue): Checked {
  if (typeof said !== 'object' || said === null || Array.isArray(said)) throw refused('they are no options');
  const { include, exclude, name, origin } = said as Readonly<Record<string, JsonValue | undefined>>;
  return {
    include: patterns(include),
    exclude: patterns(exclude),
    ...(name !== undefined && { name: text(name) }),
    ...(origin !== undefined && { origin: checkedOrigin(text(origin)) }),
  };
}

function patterns(said: JsonValue | undefined): string[] {
  if (!Array.isArray(said) || said.length > LIMITS.patterns) throw refused('its patterns are none');
  return said.map(text);
}

function text(said: JsonValue | undefined): string {
  if (typeof said !== 'string' || said.length > LIMITS.name) throw refused('a text of its is none');
  return said;
}

/** A relative path would mean another place tomorrow. */
function checkedOrigin(origin: string): string {
  const address = parseAddress(origin);
  if (address.kind === 'local' && !path.isAbsolute(address.path))
    throw refused(`${JSON.stringify(origin)} is relative`);
  return origin;
}

function refused(why: string): BkError {
  return new BkError('refused', `cannot clone here: ${why}`);
}

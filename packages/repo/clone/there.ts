import os from 'node:os';
import path from 'node:path';
import { BkError, gitId, type JsonValue, type PathProblem, parseSubset, repoPath } from '@bk/core';
import { cloneThere, parseAddress, type SshAddress } from '@bk/remote';
import { checkedName, layoutOf } from '@bk/store';
import { type CloneOptions, type CloneResult, clone } from '../clone.ts';
import type { Context } from '../context.ts';
import { fetch } from '../fetch.ts';
import { Pool } from '../observe/pool.ts';
import { asking, NOBODY, named, openSsh, sshTimeouts } from '../peers/ssh.ts';
import { cannotWrite, type Repository } from '../repository.ts';
import { foresee } from './foresee.ts';
import { type CloneWork, planClone } from './plan.ts';
import { addRemote } from './register.ts';

export interface CloneToOptions extends CloneOptions {
  /** Absolute: what a relative path is relative to. */
  readonly directory: string;
  /** How the source can be reached from the clone, if that is on another machine; absent: not that anybody knows. */
  readonly origin?: string;
}

/**
 * Clones to a path here, or to an address of ssh: then the bk there makes the clone, of the repository here, over one
 * connection. @throws BkError like `clone`
 */
export async function cloneTo(dst: string, options: CloneToOptions, context: Context): Promise<CloneResult> {
  const { directory, origin, ...wanted } = options;
  // A path that says so is one, whatever characters it has.
  const address = /^[./~]/.test(dst) ? undefined : parseAddress(dst);
  if (address?.kind === 'ssh')
    return there(address, { ...wanted, ...(origin !== undefined && { origin }) }, context);
  if (address?.kind === 'git')
    throw new BkError('refused', `cannot clone to ${dst}: a git host holds no contents`, { path: dst });
  if (origin !== undefined)
    throw new BkError('usage', '--origin is for a clone on another machine: here the source is known');
  return clone(path.resolve(directory, dst), wanted, context);
}

type Wanted = CloneOptions & Pick<CloneToOptions, 'origin'>;

async function there(address: SshAddress, wanted: Wanted, context: Context): Promise<CloneResult> {
  const { from, include = [], exclude = [], name, origin } = wanted;
  const { repository, peer } = from;
  if (name !== undefined) checkedName(name);
  const subset = parseSubset(include, exclude);
  const look = <T>(work: (given: CloneWork) => Promise<T>): Promise<T> =>
    looking({ ...wanted, include, exclude }, context, work);
  if (wanted.dryRun === true) return look((work) => foresee(work, address.text, from.facts.head ?? null));
  // Misspelled patterns are told before anything is made there.
  const plan =
    repository === undefined
      ? undefined
      : await look((work) => planClone(work, repository.layout.history, repository.head ?? null));
  const options: JsonValue = {
    include: [...subset.include],
    exclude: [...subset.exclude],
    ...(name !== undefined && { name }),
    ...(origin !== undefined && { origin }),
  };
  const { command } = repository === undefined ? NOBODY : asking(repository);
  try {
    const said = await cloneThere(await openSsh(address, command, context), {
      wish: { kind: 'clone', path: address.path, options },
      offered: peer,
      report: context.report,
      timeouts: sshTimeouts(context),
    });
    const { result, called } = checkedResult(said, address.text);
    const warnings = [...(plan?.warnings ?? []), ...result.warnings];
    if (repository === undefined || result.id === null) return { ...result, warnings };
    const unknown = await known(repository, { id: result.id, name: called, address: address.text }, context);
    return { ...result, warnings: [...warnings, ...unknown] };
  } catch (error) {
    throw named(error, address);
  }
}

/** The clone is to be elsewhere: the disk here stands for the one there. */
async function looking<T>(
  options: Wanted & Required<Pick<Wanted, 'include' | 'exclude'>>,
  context: Context,
  work: (given: CloneWork) => Promise<T>,
): Promise<T> {
  const { repository } = options.from;
  const layout = repository?.layout ?? layoutOf(os.tmpdir());
  const target = { root: layout.root, layout, is: 'free', exists: true } as const;
  const subset = parseSubset(options.include, options.exclude);
  const pool = new Pool();
  try {
    return await work({ target, subset, options, context, pool });
  } finally {
    pool.close();
  }
}

/** The clone becomes a remote of the source, and what it holds is known here. @returns why that is not so */
async function known(
  source: Repository,
  made: { readonly id: string; readonly name: string; readonly address: string },
  context: Context,
): Promise<string[]> {
  try {
    const mine = !source.locked;
    source.beginWriting();
    let name: string;
    try {
      name = addRemote(source, made, context);
    } finally {
      if (mine) source.endWriting();
    }
    const { unreachable } = await fetch(source, { remotes: [name] }, context);
    return unreachable.map(({ reason }) => `what the clone holds is not known here yet: ${reason}`);
  } catch (error) {
    if (cannotWrite(error)) return ['the source does not know of this clone yet: it cannot be written'];
    if (!(error instanceof BkError) || error.code === 'bug' || error.code === 'interrupted') throw error;
    return [`the source does not know of this clone yet: ${error.message}`];
  }
}

/** @throws BkError 'damaged' for what is no result of a clone */
function checkedResult(
  said: JsonValue,
  address: string,
): { readonly result: CloneResult; readonly called: string } {
  const { id, commit, files, bytes, missing, warnings, name } = objectOf(said);
  if (typeof id !== 'string' || !UUID.test(id) || !isCount(files) || !isCount(bytes)) throw damaged();
  const result: CloneResult = {
    root: address,
    id,
    commit: commit === null ? null : gitId(String(commit)),
    files,
    bytes,
    missing: listOf(missing).map((one): PathProblem => {
      const { path: where, reason } = objectOf(one);
      return { path: repoPath(textOf(where)), reason: textOf(reason) };
    }),
    warnings: listOf(warnings).map(textOf),
  };
  return { result, called: checkedName(textOf(name)) };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function objectOf(said: JsonValue | undefined): Readonly<Record<string, JsonValue | undefined>> {
  if (typeof said !== 'object' || said === null || Array.isArray(said)) throw damaged();
  return said as Readonly<Record<string, JsonValue | undefined>>;
}

function listOf(said: JsonValue | undefined): readonly JsonValue[] {
  if (!Array.isArray(said)) throw damaged();
  return said as readonly JsonValue[];
}

function textOf(said: JsonValue | undefined): string {
  if (typeof said !== 'string') throw damaged();
  return said;
}

function isCount(said: JsonValue | undefined): said is number {
  return typeof said === 'number' && Number.isSafeInteger(said) && said >= 0;
}

function damaged(): BkError {
  return new BkError('damaged', 'cannot use what the other bk says of the clone that it made');
}

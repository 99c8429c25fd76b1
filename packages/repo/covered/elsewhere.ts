import fs from 'node:fs';
import path from 'node:path';
import { BkError, type FsPath } from '@bk/core';
import { parseAddress } from '@bk/remote';
import { type Config, DOT_BK, layoutOf, readConfig } from '@bk/store';
import { volumeOf } from '@bk/worktree';
import type { Place } from '../holdings/holdings.ts';
import { ownVolume } from '../holdings/volume.ts';
import { isCopied } from '../peers/volume.ts';
import { presences } from '../presence/presence.ts';
import type { Repository } from '../repository.ts';
import { placeText } from './scan.ts';

/** A folder that is asked about: what lies in it, or on its volumes, is no copy elsewhere of what lies in it. */
export interface Asked {
  /** Absolute, without symbolic links. */
  readonly root: string;
  /** Folders below it on which another file system is mounted. */
  readonly mounts: Iterable<FsPath>;
  /** Folders below it that have a `.bk`. */
  readonly repositories: Iterable<FsPath>;
}

/**
 * Whether a place is elsewhere. Not elsewhere is what is on a volume of the folder, by the volume's id or, for
 * repositories within reach, by the device under them (a volume may go by two names); and repositories that lie in the
 * folder, or that it lies in, whatever volume they last said.
 */
export function elsewhereThan(repo: Repository, asked: Asked): (place: Place) => boolean {
  const roots = [asked.root, ...[...asked.mounts].map((mount) => placeText(asked.root, mount))];
  const devices = new Set(roots.flatMap((root) => deviceOf(root) ?? []));
  const volumes = new Set(roots.flatMap((root) => volumeIdOf(root) ?? []));
  const sources = new Set(roots.flatMap((root) => sourceOf(root) ?? []));
  const repositories = new Set<string>();
  const around = repositoriesAround(asked.root);
  const inside = [...asked.repositories].map((place) => placeText(asked.root, place));
  const near = [...around, ...inside].map((root) => ({ root, inside: true }));
  const local = localRepositories(repo).map((root) => ({ root, inside: false }));
  for (const { root, inside: isInside } of [...near, ...local, { root: repo.layout.root, inside: false }]) {
    const isNear = isInside || devices.has(deviceOf(root) ?? -1n) || sources.has(sourceOf(root) ?? '');
    if (!isNear) continue;
    const config = root === repo.layout.root ? repo.config : configOf(root);
    // A copy of a `.bk` speaks for another place than its own.
    if (config === undefined || isCopied(root, config.volume, true)) continue;
    volumes.add(config.id === repo.config.id ? ownVolume(repo) : (config.volume?.id ?? ''));
    if (config.id !== repo.config.id) repositories.add(config.id);
  }
  return ({ volume, repository }) => !volumes.has(volume) && !repositories.has(repository);
}

function deviceOf(folder: string): bigint | undefined {
  return fs.statSync(folder, { bigint: true, throwIfNoEntry: false })?.dev;
}

function volumeIdOf(folder: string): string | undefined {
  return fs.existsSync(folder) ? volumeOf(folder).uuid : undefined;
}

/** What is mounted there, if it has a name of its own: the same disk or export may be mounted twice. */
function sourceOf(folder: string): string | undefined {
  if (!fs.existsSync(folder)) return undefined;
  const { type, device } = volumeOf(folder);
  return /[/:]/.test(device) ? `${type} ${device}` : undefined;
}

/** Roots of the repositories that a folder lies in, or is. */
function repositoriesAround(folder: string): string[] {
  const roots: string[] = [];
  for (let at = folder; ; at = path.dirname(at)) {
    if (fs.existsSync(path.join(at, DOT_BK))) roots.push(at);
    if (at === path.dirname(at)) return roots;
  }
}

/** Where repositories are said to be on this machine; what is no address here, or nothing is at, says nothing. */
function localRepositories(repo: Repository): string[] {
  const remotes = Object.values(repo.config.remotes ?? {}).map(({ address }) => address);
  const said = presences(repo).flatMap(({ facts }) => facts.address ?? []);
  return [...remotes, ...said].flatMap((text) => localPath(text, repo.layout.root) ?? []);
}

/** The folder that an address means; undefined: it is none of this machine's. */
export function localPath(text: string, root: string): string | undefined {
  try {
    const address = parseAddress(text);
    return address.kind === 'local' ? path.resolve(root, address.path) : undefined;
  } catch (error) {
    if (error instanceof BkError) return undefined;
    throw error;
  }
}

/** What cannot be read names nobody. */
function configOf(root: string): Config | undefined {
  try {
    return readConfig(layoutOf(root).config);
  } catch {
    return undefined;
  }
}

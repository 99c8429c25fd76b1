import fs from 'node:fs';
import { BkError, isEverything, parseSubset, type Subset, subsetHash } from '@bk/core';
import { isObject, isUuid, wrongPart } from './config-check.ts';
import { replaceFile } from './durable.ts';
import { checkedRemoteName } from './remote-name.ts';
import { isSettingKey, SETTINGS, type Settings } from './settings.ts';

/** What is known of the volume that holds the repository; filled at init and compared on opening (SPEC 5). */
export interface VolumeFacts {
  /** The file system's UUID, or one that bk gave it. */
  readonly id: string;
  /** Inode and birth time (ns since 1970) of `.bk`, as decimals; absent where the file system has no stable ones. */
  readonly inode?: string;
  readonly birth?: string;
  /** Number of the btrfs subvolume: a snapshot has the same inode and birth time. */
  readonly subvolume?: string;
}

/** Another repository under the name that it has here. */
export interface RemoteConfig {
  readonly address: string;
  /** UUID; absent: never reached yet. */
  readonly id?: string;
  /** RFC 3339, UTC: when it was last reached. */
  readonly lastSeen?: string;
}

/** The patterns of what this repository wants to hold, with core's subsetHash of them. */
export interface SubsetConfig {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly hash: string;
}

/** `.bk/config.json`: who this repository is, and what its owner set. */
export interface Config {
  readonly v: 1;
  /** UUID, lower case; names the repository in trailers and refs. */
  readonly id: string;
  readonly name: string;
  /** What was set, as written; keys of a newer bk are kept untouched. */
  readonly settings: Readonly<Record<string, string>>;
  readonly volume?: VolumeFacts;
  /** Absent: everything. */
  readonly subset?: SubsetConfig;
  /** Only ever `true`: something that the head has is not here by design. */
  readonly partial?: true;
  readonly remotes?: Readonly<Record<string, RemoteConfig>>;
  /** Repositories whose disk was given up, by id, with the time from which on only a verification counts: RFC 3339, UTC. */
  readonly lost?: Readonly<Record<string, string>>;
  /** The id of the repository that this one is a copy of, `.bk` and all, made by another program. */
  readonly copyOf?: string;
}

/**
 * Reads config.json; `undefined` if there is none (a half-made init).
 * @throws BkError `damaged` if it is there and is not what bk writes; `refused` if a newer bk wrote it; `io`
 */
export function readConfig(file: string): Config | undefined {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return parseConfig(text, file);
}

/** Writes config.json whole and durable: the old one or the new one is there, never a part. */
export function writeConfig(file: string, config: Config): void {
  replaceFile(file, `${JSON.stringify(config, null, 1)}\n`);
}

/** Every setting with its value, defaults filled in. */
export function settingsOf(config: Config): Settings {
  const values = Object.entries(SETTINGS).map(([key, setting]) => {
    const text = config.settings[key];
    return [key, text === undefined ? setting.default : setting.parse(text)];
  });
  return Object.fromEntries(values) as Settings;
}

/** The config with one setting changed; `text` undefined takes the setting back to its default. */
export function withSetting(config: Config, key: string, text: string | undefined): Config {
  if (key === 'name') return { ...config, name: checkedName(text ?? '') };
  const { [key]: _old, ...others } = config.settings;
  if (text === undefined) return { ...config, settings: others };
  return { ...config, settings: { ...config.settings, [key]: checkedSetting(key, text) } };
}

/** The config with other patterns and their hash; everything: without a subset. @throws BkError as parseSubset does */
export function withSubset(config: Config, subset: Subset): Config {
  const { include, exclude } = parseSubset(subset.include, subset.exclude);
  const { subset: _old, ...others } = config;
  if (isEverything({ include, exclude })) return others;
  return { ...config, subset: { include, exclude, hash: subsetHash({ include, exclude }) } };
}

/** The config with the mark that something is not here by design, or without it. */
export function withPartial(config: Config, isPartial: boolean): Config {
  const { partial: _old, ...others } = config;
  return isPartial ? { ...others, partial: true } : others;
}

/** The config with a remote added or replaced; remotes stay in the order of their names. @throws BkError 'usage' for a name that cannot be */
export function withRemote(config: Config, name: string, remote: RemoteConfig): Config {
  const all = { ...config.remotes, [checkedRemoteName(name)]: remote };
  const sorted = Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...config, remotes: Object.fromEntries(sorted) };
}

/** The config without a remote; one that is not there is no error. */
export function withoutRemote(config: Config, name: string): Config {
  if (config.remotes === undefined || !Object.hasOwn(config.remotes, name)) return config;
  const { [name]: _gone, ...others } = config.remotes;
  if (Object.keys(others).length > 0) return { ...config, remotes: others };
  const { remotes: _none, ...rest } = config;
  return rest;
}

/** The config with a repository marked as lost; ids are kept in order. @param time RFC 3339, UTC */
export function withLost(config: Config, id: string, time: string): Config {
  const sorted = Object.entries({ ...config.lost, [id]: time }).sort(([a], [b]) => (a < b ? -1 : 1));
  return { ...config, lost: Object.fromEntries(sorted) };
}

/** The config without these marks; one that is not there is no error. */
export function withoutLost(config: Config, ids: readonly string[]): Config {
  const { lost = {}, ...others } = config;
  const left = Object.entries(lost).filter(([id]) => !ids.includes(id));
  return left.length === 0 ? others : { ...others, lost: Object.fromEntries(left) };
}

/**
 * A repository's name is one line of text: it goes into commit trailers and names of conflict copies.
 * @throws BkError `usage`
 */
export function checkedName(text: string): string {
  const name = text.trim();
  const wrong = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}/]/u.test(name) || name === '' || Buffer.byteLength(name) > 100;
  if (!wrong) return name;
  throw new BkError('usage', `not a repository name: ${JSON.stringify(text)}`, {
    hint: 'a name is one line of 1 to 100 bytes without control characters and slashes',
  });
}

function checkedSetting(key: string, text: string): string {
  if (!isSettingKey(key)) throw new BkError('usage', `no such setting: ${key}`);
  try {
    SETTINGS[key].parse(text);
  } catch (error) {
    throw new BkError('usage', `cannot set ${key} to ${JSON.stringify(text)}: ${(error as Error).message}`, {
      hint: `${key}: ${SETTINGS[key].about}`,
    });
  }
  return text;
}

function parseConfig(text: string, file: string): Config {
  const damaged = (why: string) =>
    new BkError('damaged', `cannot read ${file}: ${why}`, {
      path: file,
      hint: 'put it right in an editor, or put config.json back from a backup of .bk; then run `bk check`',
    });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged('it is not JSON');
  }
  if (!isObject(value)) throw damaged('it is not a JSON object');
  if (typeof value['v'] === 'number' && value['v'] > 1) {
    throw new BkError('refused', `cannot use ${file}: a newer bk made it (format ${value['v']})`, {
      path: file,
      hint: 'update bk',
    });
  }
  if (value['v'] !== 1) throw damaged('its version is not 1');
  if (!isUuid(value['id'])) throw damaged('its id is not a UUID');
  if (typeof value['name'] !== 'string' || value['name'] === '') throw damaged('its name is not a text');
  if (value['copyOf'] !== undefined && !isUuid(value['copyOf']))
    throw damaged('the id that it is a copy of is not a UUID');
  const wrong = wrongPart(value);
  if (wrong !== undefined) throw damaged(wrong);
  return withoutHalfVolume({ ...value, settings: value['settings'] ?? {} } as unknown as Config);
}

/** Volume facts without an id vouch for nothing. */
function withoutHalfVolume(config: Config): Config {
  if (config.volume === undefined || config.volume.id !== undefined) return config;
  const { volume: _half, ...others } = config;
  return others;
}

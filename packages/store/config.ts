import fs from 'node:fs';
import { BkError } from '@bk/core';
import { replaceFile } from './durable.ts';
import { isSettingKey, SETTINGS, type Settings } from './settings.ts';

/** What is known of the volume that holds the repository; filled at init and compared on opening (SPEC 5). */
export interface VolumeFacts {
  /** The file system's UUID, or one that bk gave it. */
  readonly id: string;
  /** Inode and birth time (ns since 1970) of `.bk`, as decimals; absent where the file system has no stable ones. */
  readonly inode?: string;
  readonly birth?: string;
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
  readonly remotes?: Readonly<Record<string, RemoteConfig>>;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

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
    new BkError('damaged', `cannot read ${file}: ${why}`, { path: file, hint: 'run `bk check`' });
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
  if (typeof value['id'] !== 'string' || !UUID.test(value['id'])) throw damaged('its id is not a UUID');
  if (typeof value['name'] !== 'string' || value['name'] === '') throw damaged('its name is not a text');
  const wrong = wrongSetting(value['settings'] ?? {});
  if (wrong !== undefined) throw damaged(wrong);
  if (value['volume'] !== undefined && !isObject(value['volume']))
    throw damaged('its volume is not an object');
  return { settings: {}, ...value } as unknown as Config;
}

function wrongSetting(settings: unknown): string | undefined {
  if (!isObject(settings)) return 'its settings are not an object';
  for (const [key, text] of Object.entries(settings)) {
    if (typeof text !== 'string') return `its setting ${key} is not a text`;
    if (!isSettingKey(key)) continue;
    try {
      SETTINGS[key].parse(text);
    } catch (error) {
      return `its setting ${key} is wrong (${(error as Error).message})`;
    }
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

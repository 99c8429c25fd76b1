import { parseMtime } from '@bk/core';
import { isRemoteName } from './remote-name.ts';
import { isSettingKey, SETTINGS } from './settings.ts';

/** What is wrong with the parts of a config.json, in words that follow "cannot read config.json: "; undefined: nothing. */
export function wrongPart(config: Readonly<Record<string, unknown>>): string | undefined {
  return (
    wrongSetting(config['settings'] ?? {}) ??
    wrongVolume(config['volume'] ?? {}) ??
    (config['subset'] === undefined ? undefined : wrongSubset(config['subset'])) ??
    wrongPartial(config['partial'] ?? true) ??
    wrongRemotes(config['remotes'] ?? {}) ??
    wrongLost(config['lost'] ?? {})
  );
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** As core has it for presences. */
const VOLUME = /^[\x21-\x7e]{1,128}$/;
const DECIMAL = /^-?\d{1,20}$/;
const HASH = /^[0-9a-f]{64}$/;
const LONGEST_ADDRESS = 4_096;

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isUuid(value: unknown): boolean {
  return matches(value, UUID);
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

/** One without an id is of an older bk; it is filled in by the next command that writes. */
function wrongVolume(volume: unknown): string | undefined {
  if (!isObject(volume)) return 'its volume is not an object';
  const { id, inode, birth, subvolume } = volume;
  if (id !== undefined && !matches(id, VOLUME)) return 'the id of its volume is none';
  for (const [what, value] of Object.entries({ inode, birth, subvolume })) {
    if (value !== undefined && !matches(value, DECIMAL))
      return `the ${what} of its volume is no whole number`;
  }
  return undefined;
}

/** Whether the patterns are as they were set, their hash says; who acts on them looks. */
function wrongSubset(subset: unknown): string | undefined {
  if (!isObject(subset)) return 'its subset is not an object';
  for (const part of ['include', 'exclude']) {
    const patterns = subset[part];
    if (!Array.isArray(patterns) || !patterns.every((pattern) => typeof pattern === 'string'))
      return `its subset has no list of patterns to ${part}`;
  }
  return matches(subset['hash'], HASH) ? undefined : 'its subset has no hash';
}

function wrongPartial(partial: unknown): string | undefined {
  return partial === true ? undefined : 'its mark `partial` is not true';
}

function wrongRemotes(remotes: unknown): string | undefined {
  if (!isObject(remotes)) return 'its remotes are not an object';
  for (const [name, remote] of Object.entries(remotes)) {
    const which = `its remote ${JSON.stringify(name)}`;
    if (!isRemoteName(name)) return `${which} has a name that cannot be`;
    if (!isObject(remote)) return `${which} is not an object`;
    const { address, id, lastSeen } = remote;
    if (!isLine(address)) return `${which} has no address`;
    if (id !== undefined && !matches(id, UUID)) return `${which} has an id that is not a UUID`;
    if (lastSeen !== undefined && !isTime(lastSeen)) return `${which} was last seen at no time`;
  }
  return undefined;
}

function wrongLost(lost: unknown): string | undefined {
  if (!isObject(lost)) return 'its lost repositories are not an object';
  for (const [id, time] of Object.entries(lost)) {
    if (!isUuid(id)) return `its lost repository ${JSON.stringify(id)} is not a UUID`;
    if (!isTime(time)) return `its lost repository ${id} was lost at no time`;
  }
  return undefined;
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value);
}

function isLine(value: unknown): boolean {
  if (typeof value !== 'string' || value === '' || value.length > LONGEST_ADDRESS) return false;
  return !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(value);
}

function isTime(value: unknown): boolean {
  try {
    parseMtime(String(value));
    return typeof value === 'string';
  } catch {
    return false;
  }
}

import { BkError } from '@bk/core';
import { type Config, isSettingKey, SETTINGS, settingsOf, settingText, withSetting } from '@bk/store';
import type { Repository } from './repository.ts';

/** One setting as `bk config` shows it. */
export interface SettingValue {
  readonly key: string;
  /** As it is written on the command line; null: not set, and without a default. */
  readonly value: string | null;
  /** It was never set here. */
  readonly default: boolean;
}

export type ConfigOptions =
  | { readonly do: 'list' }
  | { readonly do: 'get'; readonly key: string }
  | { readonly do: 'set'; readonly key: string; readonly value: string }
  | { readonly do: 'unset'; readonly key: string };

export interface ConfigResult {
  readonly settings: readonly SettingValue[];
}

/** The name is a setting too, though it stands beside the others in config.json. */
const KEYS: readonly string[] = ['name', ...Object.keys(SETTINGS)];

/**
 * Lists, reads or changes settings; the result holds the settings it was about, as they are afterwards.
 * @throws BkError `usage` for an unknown key or a value that does not fit it, `locked`
 */
export function config(repo: Repository, options: ConfigOptions): ConfigResult {
  if (options.do === 'list') return { settings: KEYS.map((key) => current(repo.config, key)) };
  const { key } = options;
  if (!KEYS.includes(key)) {
    throw new BkError('usage', `no such setting: ${key}`, { hint: `settings are ${KEYS.join(', ')}` });
  }
  if (options.do === 'get') return { settings: [current(repo.config, key)] };
  const text = options.do === 'set' ? options.value : undefined;
  withSetting(repo.config, key, text); // A wrong value is refused before anything is locked.
  repo.beginWriting();
  repo.reconfigure((before) => withSetting(before, key, text));
  return { settings: [current(repo.config, key)] };
}

function current(config: Config, key: string): SettingValue {
  if (!isSettingKey(key)) return { key, value: config.name, default: false };
  const text = settingText(settingsOf(config)[key]);
  return { key, value: text === '' ? null : text, default: config.settings[key] === undefined };
}

/** When the safety net may let confirmed deletions go (SPEC 4, rule 12). */
export type ReleasePolicy =
  | { readonly when: 'commit' }
  | { readonly when: 'commits'; readonly count: number }
  | { readonly when: 'age'; readonly days: number }
  | { readonly when: 'space'; readonly percent: number };

/** One known setting: how its text is read (throws with the reason), what holds if it is not set, what it is for. */
export interface Setting<T> {
  readonly parse: (text: string) => T;
  readonly default: T;
  readonly about: string;
}

/** Every known setting, in the order in which `bk config` lists them. */
export const SETTINGS = {
  'author.name': setting<string | undefined>(
    line,
    undefined,
    'name of the author of commits (default: your login name)',
  ),
  'author.email': setting<string | undefined>(
    line,
    undefined,
    'e-mail of the author of commits (default: login@host)',
  ),
  copies: setting(
    integer(1, 100),
    2,
    'how many other volumes must hold a content before it may be dropped here',
  ),
  'safety.release': setting<ReleasePolicy>(
    releasePolicy,
    { when: 'commit' },
    'when the net lets confirmed deletions go: commit, commits:N, age:DAYS or space:PERCENT',
  ),
  'safety.replacedDays': setting(integer(0, 36_500), 30, 'days for which the net holds replaced versions'),
  'safety.replacedFreePercent': setting(
    integer(0, 100),
    5,
    'percent of free space below which replaced versions may go earlier',
  ),
  'safety.copyLimit': setting(
    size,
    1024 * 1024,
    'largest file that the net copies where it can neither reflink nor link: bytes, or 64KiB, 1MiB …',
  ),
  'ssh.command': setting<string | undefined>(
    line,
    undefined,
    'which ssh, with options as in `ssh -F FILE` (default: ssh from PATH; BK_SSH_COMMAND goes first)',
  ),
  setuid: setting<boolean>(
    flag,
    false,
    'whether set-uid and set-gid bits from elsewhere are applied: true or false',
  ),
} as const;

export type SettingKey = keyof typeof SETTINGS;
export type Settings = { readonly [K in SettingKey]: (typeof SETTINGS)[K]['default'] };

export function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTINGS, key);
}

/** A setting's value as it is written on the command line. */
export function settingText(value: Settings[SettingKey]): string {
  if (typeof value !== 'object') return value === undefined ? '' : String(value);
  if (value.when === 'commits') return `commits:${value.count}`;
  if (value.when === 'age') return `age:${value.days}`;
  return value.when === 'space' ? `space:${value.percent}` : 'commit';
}

function setting<T>(parse: (text: string) => T, standard: T, about: string): Setting<T> {
  return { parse, default: standard, about };
}

function line(text: string): string {
  const trimmed = text.trim();
  if (trimmed === '' || /[\p{Cc}<>]/u.test(trimmed)) throw new Error('it must be one line without < and >');
  return trimmed;
}

function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new Error(`it must be a whole number from ${least} to ${most}`);
  };
}

function flag(text: string): boolean {
  if (text === 'true') return true;
  if (text === 'false') return false;
  throw new Error('it must be true or false');
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

function size(text: string): number {
  const match = /^(\d{1,12}) ?(?:([kmg])(?:i?b)?|b)?$/i.exec(text);
  if (match === null) throw new Error('it must be a number of bytes, or like 64KiB, 1MiB, 2GiB');
  return Number(match[1]) * (UNITS[(match[2] ?? '').toLowerCase()] ?? 1);
}

function releasePolicy(text: string): ReleasePolicy {
  const [when, number] = text.split(/:(.*)/s, 2);
  if (when === 'commit' && number === undefined) return { when };
  if (number === undefined) throw new Error('it must be commit, commits:N, age:DAYS or space:PERCENT');
  if (when === 'commits') return { when, count: integer(1, 1_000_000)(number) };
  if (when === 'age') return { when, days: integer(0, 36_500)(number) };
  if (when === 'space') return { when, percent: integer(0, 100)(number) };
  throw new Error('it must be commit, commits:N, age:DAYS or space:PERCENT');
}

import { BkError } from '@bk/core';
import type { ConfigOptions, ConfigResult, MediaRefreshResult } from '@bk/repo';
import { counted, table } from '../format.ts';
import { listText, reasonsText } from '../lists.ts';
import type { Session } from '../session.ts';
import { type Style, safe } from '../terminal.ts';
import { verb } from '../verb.ts';

export const config = verb({
  usage: 'config [key] [value]',
  about: 'list, read and change settings',
  examples: [
    ['bk config', 'all settings'],
    ['bk config author.name "Ada Lovelace"', 'who commits'],
    ['bk config safety.release age:90', 'the net keeps confirmed deletions for 90 days'],
    ['bk config safety.release --unset', 'back to the default'],
    ['bk config media.refresh now', 'read media facts of known contents anew, after bk was updated'],
  ],
  options: (yargs) =>
    yargs
      .positional('key', { type: 'string', describe: 'name of the setting' })
      .positional('value', { type: 'string', describe: 'its new value' })
      .option('unset', { type: 'boolean', describe: 'take the setting back to its default' }),
  async run({ key, value, unset }, session) {
    if (key === REFRESH) return refresh(value, unset === true, session);
    const options = wanted(key, value, unset === true);
    const { config } = await import('@bk/repo');
    const result = config(await session.open(), options);
    session.result(result, (all) => (options.do === 'list' ? list(all, session.style) : values(all)), []);
    return options.do === 'get' && result.settings[0]?.value === null ? 1 : 0;
  },
});

/** No setting: what was read once is read again when a person asks for it. */
const REFRESH = 'media.refresh';

async function refresh(value: string | undefined, unset: boolean, session: Session): Promise<number> {
  if (value !== 'now' || unset)
    throw new BkError('usage', `${REFRESH} is no setting`, {
      hint: `\`bk config ${REFRESH} now\` reads the media facts of all contents here anew`,
    });
  const { refreshMedia } = await import('@bk/repo');
  const result = await refreshMedia(await session.open(), session.context);
  session.result(result, () => refreshText(result, session.style));
  return result.unreadable.length === 0 ? 0 : 1;
}

function refreshText({ read, changed, unreadable }: MediaRefreshResult, style: Style): string {
  const list = listText('read anew', changed, style);
  const failed = reasonsText(style('yellow', 'unreadable'), unreadable);
  return `${list}${failed}${counted(read, 'media file')} read, ${counted(changed.length, 'record')} changed\n`;
}

function wanted(key: string | undefined, value: string | undefined, unset: boolean): ConfigOptions {
  if (unset) {
    if (key !== undefined && value === undefined) return { do: 'unset', key };
    throw new BkError('usage', '--unset takes the name of one setting and no value');
  }
  if (key === undefined) return { do: 'list' };
  return value === undefined ? { do: 'get', key } : { do: 'set', key, value };
}

function list({ settings }: ConfigResult, style: Style): string {
  const rows = settings.map((setting) => [
    setting.key,
    setting.value === null ? style('dim', '(not set)') : safe(setting.value),
    setting.default && setting.value !== null ? style('dim', '(default)') : '',
  ]);
  return table(rows);
}

function values({ settings }: ConfigResult): string {
  return settings.map(({ value }) => (value === null ? '' : `${safe(value)}\n`)).join('');
}

import { isJsonObject, type JsonObject, type JsonValue, type Rec } from '@bk/core';
import type { MetaFile, MetaResult, MetaVersion, WhereCopy } from '@bk/repo';
import { attributesText } from '../attributes.ts';
import { count, localTime, size, table } from '../format.ts';
import { plainPaths } from '../json.ts';
import type { Session } from '../session.ts';
import { type Style, safe, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

export const meta = verb({
  usage: 'meta <paths..>',
  about: 'all that is known of a file: what is recorded, from its content, by you, where it is, its history',
  examples: [
    ['bk meta trips/boat.jpg', 'also if it is on other disks only, or was deleted'],
    ['bk meta boat.jpg --json', 'the same for programs'],
  ],
  options: (yargs) =>
    yargs.positional('paths', {
      type: 'string',
      array: true,
      demandOption: true,
      describe: 'files and folders, here or not',
    }),
  async run({ paths }, session) {
    const { meta } = await import('@bk/repo');
    const repository = await session.open();
    const result = meta(repository, { paths: session.paths(repository, paths) }, session.context);
    const own = repository.config.id;
    session.result(forPrograms(result), () => metaText(result, session, own), []);
    return 0;
  },
});

/** The record's own fields are the person's: nothing in them is taken for a path of ours. */
function forPrograms({ files }: MetaResult): object {
  const plain = (value: object) => plainPaths(value, ['path']) as object;
  return {
    files: files.map(({ copies, versions, ...file }) => ({
      ...plain(file),
      copies: copies.map(plain),
      versions: versions.map(plain),
    })),
  };
}

function metaText({ files }: MetaResult, { style }: Session, own: string): string {
  return files.map((file) => fileText(file, style, own)).join('\n');
}

function fileText(file: MetaFile, style: Style, own: string): string {
  const { path, record, present, departed, copies, versions } = file;
  const where = departed ? style('red', 'deleted') : present ? '' : style('yellow', 'not here');
  const rows = [
    ...(record === null ? [['', style('dim', 'a folder like any other')]] : recordRows(record, style)),
    ...titled('copies', copies.map((copy) => copyText(copy, own))), // biome-ignore format: short
    ...titled('history', versions.map((version) => versionText(version, path))), // biome-ignore format: short
  ];
  const indented = rows.map(([title = '', ...cells]) => [`  ${style('dim', title)}`, ...cells]);
  return `${`${style('bold', shownPath(path))}  ${where}`.trimEnd()}\n${table(indented)}`;
}

function recordRows(record: Rec, style: Style): string[][] {
  const { type, size: bytes, mtime, mode, target, blake3, hashes, id, attrs, media, entity } = record;
  const kind = entity === undefined ? type : `${type}, ${safe(entity)}`;
  return [
    ['type', kind],
    ...(target === undefined ? [] : [['target', safe(target)]]),
    ...(bytes === undefined
      ? []
      : [['size', bytes < 1000 ? size(bytes) : `${size(bytes)} (${count(bytes)} bytes)`]]),
    ...(mtime === undefined ? [] : [['modified', localTime(mtime)]]),
    ['mode', mode],
    ...(attrs === undefined ? [] : [['attributes', attributesText(attrs, style)]]),
    ...(media === undefined ? [] : titled('media', factLines(media))),
    ...(blake3 === undefined ? [] : [['blake3', blake3]]),
    ...Object.entries(hashes ?? {}).map(([name, hash]) => [safe(name), safe(String(hash))]),
    ['id', id],
  ];
}

/** `camera.model Canon EOS`, one fact a line. */
function factLines(facts: JsonObject, prefix = ''): string[] {
  return Object.entries(facts).flatMap(([key, value]) =>
    isJsonObject(value) ? factLines(value, `${prefix}${key}.`) : [`${safe(prefix + key)} ${factText(value)}`],
  );
}

function factText(value: JsonValue): string {
  if (Array.isArray(value)) return (value as readonly JsonValue[]).map(factText).join(', ');
  return safe(typeof value === 'string' ? value : JSON.stringify(value));
}

function copyText({ repository, name, seen, verified, volume }: WhereCopy, own: string): string {
  const looked = repository === own ? 'here' : `seen ${localTime(seen)}`;
  const proof = verified === null ? 'not verified since' : `verified ${localTime(verified)}`;
  return `${safe(name)}  ${looked}, ${proof}, volume ${safe(volume)}`;
}

function versionText({ commit, time, message, path }: MetaVersion, now: string): string {
  const there = path === undefined || path === now ? '' : `  as ${shownPath(path)}`;
  return `${localTime(time)}  ${commit.slice(0, 10)}  ${safe(message.split('\n', 1)[0] ?? '')}${there}`.trimEnd();
}

function titled(title: string, lines: readonly string[]): string[][] {
  return lines.map((line, i) => [i === 0 ? title : '', line]);
}

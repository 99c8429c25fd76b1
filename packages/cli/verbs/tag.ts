import { BkError, isNoEdit, parseAttributeEdit } from '@bk/core';
import type { ExportResult, Tagged, TagResult } from '@bk/repo';
import { attributesText } from '../attributes.ts';
import { counted, table } from '../format.ts';
import { plainPaths } from '../json.ts';
import { listText, reasonsText } from '../lists.ts';
import { type Style, shownPath } from '../terminal.ts';
import { verb } from '../verb.ts';

export const tag = verb({
  usage: 'tag <paths..>',
  synopsis: 'tag PATH… [--add T]… [--remove T]… [--set KEY=VALUE]… | --export-xmp | --import-xmp',
  about: 'tags, people, rating and other attributes of files and folders, also of those that are not here',
  examples: [
    ['bk tag boat.jpg --add sea --add "places/Italy"', 'two tags more'],
    ['bk tag Pictures/2019 -r --set rating=4', 'every file in a folder; without -r the folder itself'],
    ['bk tag boat.jpg --set "title=At the sea" --set people+=Anna', 'a title, and one more person'],
    ['bk tag boat.jpg --remove sea --set title=', 'one tag less, no title'],
    ['bk tag boat.jpg', 'what it has'],
    ['bk tag Pictures -r --export-xmp', 'sidecars that Lightroom, digiKam and darktable read'],
    ['bk tag Pictures -r --import-xmp', 'take what they wrote, into pictures or sidecars'],
  ],
  options: (yargs) =>
    yargs
      .positional('paths', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'files and folders that are committed, here or not',
      })
      .option('add', repeated('a tag to add; repeatable'))
      .option('remove', repeated('a tag to take away; repeatable'))
      .option('set', repeated('KEY=VALUE; no value takes it away; people+=NAME, people-=NAME; repeatable'))
      .option('recursive', { alias: 'r', type: 'boolean', describe: 'of folders: the files in them' })
      .option('export-xmp', { type: 'boolean', describe: 'write NAME.EXT.xmp beside each file' })
      .option('import-xmp', { type: 'boolean', describe: 'take tags from sidecars, XMP and IPTC' })
      .option('dry-run', { type: 'boolean', describe: 'only say what would be changed' }),
  async run(given, session) {
    const { add = [], remove = [], set = [] } = given;
    const edit = parseAttributeEdit({ add, remove, set });
    const { 'export-xmp': exports = false, 'import-xmp': imports = false } = given;
    if (Number(exports) + Number(imports) + Number(!isNoEdit(edit)) > 1)
      throw new BkError('usage', 'edits, --export-xmp and --import-xmp exclude each other');
    const { tag, exportXmp, importXmp } = await import('@bk/repo');
    const repository = await session.open();
    const dryRun = given['dry-run'] === true;
    const paths = session.paths(repository, given.paths);
    const options = { paths, edit, recursive: given.recursive === true, dryRun };
    if (exports) {
      const done = exportXmp(repository, options);
      session.result(done, () => exportText(done, session.style, dryRun), ['path', 'of']);
      return done.refused.length === 0 ? 0 : 1;
    }
    const result = (imports ? importXmp : tag)(repository, options, session.context);
    session.result(forPrograms(result), () => tagText(result, session.style, dryRun), []);
    return 0;
  },
});

function repeated(describe: string) {
  return { type: 'string', array: true, nargs: 1, requiresArg: true, describe } as const;
}

/** Attributes are the person's: nothing in them is taken for a path of ours. */
function forPrograms({ changed, files, ...result }: TagResult): object {
  const plain = (list: readonly Tagged[]) =>
    list.map(({ attrs, ...one }) => ({ ...(plainPaths(one, ['path']) as object), attrs }));
  return { ...result, changed: plain(changed), ...(files && { files: plain(files) }) };
}

function tagText({ changed, files }: TagResult, style: Style, dryRun: boolean): string {
  const rows = (files ?? changed).map(({ path, attrs }) => [shownPath(path), attributesText(attrs, style)]);
  if (files !== undefined) return table(rows);
  if (changed.length === 0) return 'nothing to change\n';
  return `${table(rows)}${counted(changed.length, 'file')} ${dryRun ? 'would be changed' : 'changed'}\n`;
}

function exportText({ exported, refused }: ExportResult, style: Style, dryRun: boolean): string {
  const list = listText(dryRun ? 'would be written' : 'written', exported, style);
  const kept = reasonsText(style('yellow', 'not exported'), refused);
  const nothing = exported.length + refused.length === 0 ? 'nothing to export\n' : '';
  return `${list}${kept}${nothing}`;
}

import type { Correspondence } from '@bk/core';
import { count, counted, table } from './format.ts';
import { type Style, safe, shownPath } from './terminal.ts';

const FEW = 30;

/** Where two histories met for the first time: which of the other's folders are copies of ours. */
export function correspondencesText(
  name: string,
  list: readonly Correspondence[],
  { style, long }: { readonly style: Style; readonly long: boolean },
): string {
  if (list.length === 0) return '';
  const shown = long ? list : list.slice(0, FEW);
  const more = list.length - shown.length;
  const rest = more > 0 ? `  … and ${count(more)} more (--long lists them)\n` : '';
  return `folders of ${safe(name)} that correspond to folders here: ${count(list.length)}\n${table(
    shown.map((one) => correspondenceRow(one, style)),
  )}${rest}`;
}

function correspondenceRow({ theirs, ours, files, equal, unique }: Correspondence, style: Style): string[] {
  const of = counted(files, 'file');
  const part = equal === files ? 'all' : `${Math.floor((100 * equal) / files)} %`;
  const others = unique === 0 ? 'none unique' : `${count(unique)} unique`;
  return [`  ${shownPath(theirs)}/`, `${part} of ${of} in ${shownPath(ours)}/`, style('dim', others)];
}

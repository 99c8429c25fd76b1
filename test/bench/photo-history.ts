import crypto from 'node:crypto';
import {
  type ContentHash,
  type EncodedName,
  formatRecord,
  type GitId,
  type JsonObject,
  type ObjectId,
} from '@bk/core';
import { HistoryReader, layoutOf, PackWriter, readRef, type TreeEntry, updateRef } from '@bk/store';

const A_FOLDER = 200;
const CAMERAS: readonly (readonly [make: string, model: string])[] = [
  ['FUJIFILM', 'X30'],
  ['Canon', 'Canon EOS 5D Mark III'],
  ['NIKON CORPORATION', 'NIKON D750'],
  ['Apple', 'iPhone 8'],
  ['SONY', 'ILCE-7M3'],
];
const PLACES = ['Norway', 'Köln', 'New York', 'Garden', 'Zoo', 'Iceland', 'Oma', 'Lisboa', 'Rügen', 'School'];
const MAIN = 'refs/heads/main';
const SECONDS_BETWEEN = 600;

/**
 * Commits records of photographs, 200 in a folder, as if the files had been there: one in ten is a RAF, one in a hundred has
 * the tag `kids`, one in fifty of these `beach` too. The same in every run.
 */
export function commitPhotos(root: string, files: number): void {
  const layout = layoutOf(root);
  const reader = new HistoryReader(layout.history);
  const writer = new PackWriter(layout.history, layout.staging, { reader });
  const years = new Map<string, TreeEntry[]>();
  for (let first = 0; first < files; first += A_FOLDER) {
    const taken = new Date(Date.UTC(2001, 0, 1) + first * SECONDS_BETWEEN * 1000);
    const folder: TreeEntry[] = [];
    for (let n = first; n < Math.min(files, first + A_FOLDER); n++) folder.push(photo(writer, n));
    const year = String(taken.getUTCFullYear());
    const name = `${taken.toISOString().slice(5, 10)} ${PLACES[(first / A_FOLDER) % PLACES.length]} ${first / A_FOLDER}`;
    const entry = { name: name as EncodedName, kind: 'tree', id: writer.addTree(folder) } as const;
    years.set(year, [...(years.get(year) ?? []), entry]);
  }
  const top = [...years].map(([year, entries]): TreeEntry => {
    return { name: year as EncodedName, kind: 'tree', id: writer.addTree(entries) };
  });
  const who = { name: 'bench', email: 'bench@example.org', timeSec: 1_790_000_000, offsetMinutes: 0 };
  const head = readRef(layout.history, MAIN);
  const commit = writer.addCommit({
    tree: writer.addTree(top),
    parents: head === undefined ? [] : [head],
    author: who,
    committer: who,
    message: `${files} photographs\n`,
  });
  writer.finish();
  updateRef(layout.history, MAIN, head, commit as GitId);
  reader.close();
}

function photo(writer: PackWriter, n: number): TreeEntry {
  const isRaw = n % 10 === 3;
  const [make, model] = CAMERAS[Math.floor(n / 7) % CAMERAS.length]!;
  const time = new Date(Date.UTC(2001, 0, 1) + n * SECONDS_BETWEEN * 1000).toISOString().slice(0, 19);
  const tags = [...(n % 100 === 42 ? ['kids'] : []), ...(n % 5000 === 42 ? ['beach'] : [])];
  const media: JsonObject = {
    camera: { make, model },
    height: 3000,
    kind: 'image',
    mime: isRaw ? 'image/x-fujifilm-raf' : 'image/jpeg',
    taken: time,
    width: 4000,
  };
  const hash = (salt: string) => crypto.hash('sha256', `${salt}${n}`) as ContentHash;
  const hex = n.toString(16).padStart(12, '0');
  const record = formatRecord({
    v: 1,
    id: `0190a1b2-c3d4-7e5f-8a6b-${hex}` as ObjectId,
    type: 'file',
    blake3: hash('content '),
    size: 2_000_000 + ((n * 7_919) % 30_000_000),
    mtime: `${time}.000000000Z`,
    mode: '0644',
    hashes: { payload: hash('payload ') },
    media,
    ...(tags.length > 0 && { attrs: { tags } }),
  });
  const name = `${isRaw ? 'DSCF' : 'IMG_'}${String(n).padStart(7, '0')}.${isRaw ? 'RAF' : 'jpg'}`;
  return { name: name as EncodedName, kind: 'blob', id: writer.addBlob(record) };
}

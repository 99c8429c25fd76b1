import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/** A generated tree: `half` is the folder at the top that holds half of the files. */
export interface Tree {
  readonly files: number;
  readonly dirs: number;
  readonly half: string;
  readonly halfFiles: number;
}

const LEAVES_PER_GROUP = 100;

/**
 * Files of about 200 bytes (150 to 250, all different, the same in every run) in two halves of the same shape:
 * half / group / folder / file.
 * @param dirs about how many folders there are in all
 */
export function makeSmallFiles(root: string, files: number, dirs: number): Tree {
  const leaves = Math.max(2, Math.floor(((dirs - 2) * LEAVES_PER_GROUP) / (LEAVES_PER_GROUP + 1)));
  const text = crypto.createHash('sha512').update('bk bench').digest('base64').repeat(4);
  let made = { files: 0, dirs: 0 };
  let halfFiles = 0;
  for (const [side, half] of ['archive', 'current'].entries()) {
    const share = (total: number): number => (side === 0 ? total >> 1 : total - (total >> 1));
    const added = makeHalf(path.join(root, half), share(files), share(leaves), text);
    if (side === 0) halfFiles = added.files;
    made = { files: made.files + added.files, dirs: made.dirs + added.dirs };
  }
  return { ...made, half: 'archive', halfFiles };
}

function makeHalf(
  root: string,
  files: number,
  leaves: number,
  text: string,
): { files: number; dirs: number } {
  fs.mkdirSync(root);
  let dirs = 1;
  let next = 0;
  for (let leaf = 0; leaf < leaves; leaf++) {
    const group = `${root}/group-${String(Math.floor(leaf / LEAVES_PER_GROUP)).padStart(3, '0')}`;
    if (leaf % LEAVES_PER_GROUP === 0) {
      fs.mkdirSync(group);
      dirs++;
    }
    const dir = `${group}/folder-${String(leaf).padStart(5, '0')}`;
    fs.mkdirSync(dir);
    dirs++;
    const end = Math.floor((files * (leaf + 1)) / leaves);
    for (; next < end; next++) {
      const at = (next * 7) % 88;
      fs.writeFileSync(
        `${dir}/file-${next}.txt`,
        `${dir.slice(-40)} ${next}\n${text.slice(at, at + 100 + (next % 100))}\n`,
      );
    }
  }
  return { files, dirs };
}

/** Files of equal size with pseudo-random bytes (a key stream, so they neither compress nor repeat). */
export function makeLargeFiles(root: string, files: number, bytes: number): readonly string[] {
  const chunk = Buffer.alloc(2 ** 20);
  const stream = crypto.createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  const names: string[] = [];
  for (let i = 0; i < files; i++) {
    const name = `large-${String(i).padStart(2, '0')}.bin`;
    const fd = fs.openSync(path.join(root, name), 'wx');
    try {
      let left = Math.floor(bytes / files);
      while (left > 0) {
        const part = stream.update(left < chunk.length ? chunk.subarray(0, left) : chunk);
        let done = 0;
        while (done < part.length) done += fs.writeSync(fd, part, done);
        left -= part.length;
      }
    } finally {
      fs.closeSync(fd);
    }
    names.push(name);
  }
  return names;
}

/** A camera’s card: files of 4 to 200 KB, a hundred in a folder, all different; no real pictures. */
export function makeCard(root: string, files: number): void {
  const noise = crypto
    .createHash('shake256', { outputLength: 2 ** 20 })
    .update('bk bench card')
    .digest();
  for (let n = 0; n < files; n++) {
    const dir = path.join(root, `DCIM/${100 + Math.floor(n / 100)}BENCH`);
    if (n % 100 === 0) fs.mkdirSync(dir, { recursive: true });
    const size = 4_096 + ((n * 7_919) % 200_000);
    const at = (n * 131) % (noise.length - size);
    const bytes = Buffer.from(noise.subarray(at, at + size));
    bytes.write(`picture ${n} `);
    fs.writeFileSync(path.join(dir, `IMG_${String(n).padStart(5, '0')}.JPG`), bytes);
  }
}

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  type FsPath,
  GIT_ID_BYTES,
  type GitId,
  HASH_BYTES,
  ID_BYTES,
  KIND,
  type KnownDirectory,
  STAT,
  STAT_WIDTH,
  timeNs,
} from '@bk/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { touch } from '../../fixtures/odd-names.ts';
import { moduleHere, runAsNobody, whyNotAsNobody } from './as-nobody.fixture.ts';
import { LONG_PATH, withHeldDirectory, withPlace } from './long-path.ts';
import { bytePath, nodePath } from './node-path.ts';
import { type DirectoryReport, reasonOf, scanDirectories, scanDirectory } from './scan.ts';

let base: string;
beforeEach(() => {
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-scan-'));
});
afterEach(() => void spawnSync('rm', ['-rf', base]));

const TRUST = { stats: true, inodes: true, grainNs: 0n };
const scan = (dir = '', known?: KnownDirectory, root = base) =>
  scanDirectory(bytePath(root), dir as FsPath, { known, trust: TRUST });

function differs(report: DirectoryReport): Extract<DirectoryReport, { state: 'differs' }> {
  if (report.state !== 'differs') throw new Error(JSON.stringify(report));
  return report;
}
const namesOf = (report: DirectoryReport) => differs(report).listing.names.slice(1);

/** What an index that was written after this look would know. */
function asKnown(report: DirectoryReport): KnownDirectory {
  const { listing } = differs(report);
  const count = listing.names.length;
  return {
    tree: '0'.repeat(40) as GitId,
    observedNs: BigInt(Date.now() + 10_000) * 1_000_000n,
    mount: false,
    listing,
    hashes: new Uint8Array(count * HASH_BYTES),
    ids: new Uint8Array(count * ID_BYTES),
    records: new Uint8Array(count * GIT_ID_BYTES),
    protections: new Uint8Array(count),
  };
}

type Call = (...given: unknown[]) => unknown;
const calls = fs as unknown as Record<string, Call>;

/** Does something once, just before or after one call of fs for a path that ends so. */
function whenever<T>(
  call: string,
  end: string,
  hook: { before?: () => void; after?: () => void; times?: number },
  work: () => T,
): T {
  const original = calls[call]!;
  let left = hook.times ?? 1;
  calls[call] = (...given) => {
    const now =
      left > 0 &&
      Buffer.from(given[0] as string)
        .toString('latin1')
        .endsWith(end);
    if (now) left--;
    if (now) hook.before?.();
    const result = original(...given);
    if (now) hook.after?.();
    return result;
  };
  try {
    return work();
  } finally {
    calls[call] = original;
  }
}

describe('a scan', () => {
  it('tells kinds, modes and stats of everything, sorted by bytes', () => {
    fs.writeFileSync(`${base}/b`, '12345', { mode: 0o640 });
    fs.mkdirSync(`${base}/a`);
    fs.chmodSync(`${base}/a`, 0o1777);
    fs.symlinkSync('target', `${base}/l`);
    fs.linkSync(`${base}/b`, `${base}/-`);
    const { listing, known, vouched, unreadable, observedNs } = differs(scan());
    expect(listing.names).toEqual(['.', '-', 'a', 'b', 'l']);
    expect([...listing.kinds]).toEqual([KIND.dir, KIND.file, KIND.dir, KIND.file, KIND.symlink]);
    expect([...listing.modes]).toEqual([0o700, 0o640, 0o1777, 0o640, 0o777]);
    listing.names.forEach((name, i) => {
      const stat = fs.lstatSync(`${base}/${name}`, { bigint: true });
      const columns = listing.stats.subarray(i * STAT_WIDTH, (i + 1) * STAT_WIDTH);
      const expected = [stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs, stat.birthtimeNs, stat.nlink];
      expect([...columns]).toEqual(expected);
    });
    expect([...known]).toEqual([-1, -1, -1, -1, -1]);
    expect([...vouched]).toEqual([0, 0, 0, 0, 0]);
    expect(unreadable).toEqual([]);
    expect(Math.abs(Number(observedNs / 1_000_000n) - Date.now())).toBeLessThan(5_000);
  });

  it('says `same` and the folders if the index vouches for all, else what differs', () => {
    fs.mkdirSync(`${base}/sub`);
    fs.mkdirSync(`${base}/sub\xe9`);
    fs.writeFileSync(`${base}/f`, 'x');
    const known = asKnown(scan());
    const folders = ['sub', Buffer.from('sub\xe9').toString('latin1')].join('/');
    expect(scan('', known)).toEqual({ path: '', state: 'same', folders, entries: 3 });
    fs.chmodSync(`${base}/f`, 0o600);
    const seen = differs(scan('', known));
    expect(Array.from(seen.vouched, (is, i) => [seen.listing.names[i], is])).toContainEqual(['f', 0]);
    fs.rmSync(`${base}/f`);
    expect(namesOf(scan('', known))).toEqual(['sub', Buffer.from('sub\xe9').toString('latin1')]);
  });

  it('reads the names again if anything may have been made, removed or renamed since', () => {
    fs.mkdirSync(`${base}/sub`);
    fs.writeFileSync(`${base}/f`, 'x');
    const known = asKnown(scan());
    const listings = (reference: KnownDirectory, trust = TRUST) => {
      let count = 0;
      const counting = { before: () => void count++, times: 9 };
      const look = () => scanDirectory(bytePath(base), '' as FsPath, { known: reference, trust });
      whenever('readdirSync', base, counting, look);
      return count;
    };
    expect(listings(known)).toBe(0);
    expect(listings(known, { ...TRUST, stats: false })).toBe(1);
    expect(listings(known, { ...TRUST, inodes: false })).toBe(1);
    // The folder had just been written to when it was looked at: one more name may have come within the same tick.
    const ctime = fs.lstatSync(base, { bigint: true }).ctimeNs;
    expect(listings({ ...known, observedNs: ctime + 5n }, { ...TRUST, grainNs: 5n })).toBe(0);
    expect(listings({ ...known, observedNs: ctime + 4n }, { ...TRUST, grainNs: 5n })).toBe(1);
    fs.writeFileSync(`${base}/f`, 'y');
    expect(listings(known)).toBe(0);
    const changes = [
      () => fs.writeFileSync(`${base}/new`, ''),
      () => fs.renameSync(`${base}/new`, `${base}/newer`),
      () => fs.rmSync(`${base}/newer`),
    ];
    for (const change of changes) {
      const before = asKnown(scan());
      change();
      expect(listings(before)).toBe(1);
    }
  });

  it('keeps names of any bytes, also of 255, and reaches what is behind them', () => {
    const odd = ['f\xff\xfe\n', '\xff'.repeat(255), 'n'.repeat(255), '\x01\x7f%\\', '\u00c3\u00a9'];
    const root = path.join(base, 'wurzel é 😀');
    fs.mkdirSync(root);
    for (const name of odd) fs.mkdirSync(nodePath(`${bytePath(root)}/${name}`));
    for (const name of odd) fs.writeFileSync(nodePath(`${bytePath(root)}/${name}/${name}`), name);
    expect(namesOf(scan('', undefined, root))).toEqual([...odd].sort());
    for (const name of odd) expect(namesOf(scan(name, undefined, root))).toEqual([name]);
  });

  it('tells sockets, FIFOs and devices from files, without opening them', ({ skip }) => {
    spawnSync('mkfifo', [`${base}/fifo`]);
    const listen = `require('net').createServer().listen(${JSON.stringify(`${base}/socket`)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', listen]);
    const device = spawnSync('mknod', [`${base}/null`, 'c', '1', '3']).status === 0;
    const { listing } = differs(scan());
    expect(listing.names).toEqual(['.', 'fifo', ...(device ? ['null'] : []), 'socket']);
    expect([...listing.kinds.subarray(1)].every((kind) => kind === KIND.other)).toBe(true);
    skip(!device, 'needs root to make a device');
  });

  it('reads 20,000 files in one folder', () => {
    for (let i = 0; i < 20_000; i++) fs.closeSync(fs.openSync(`${base}/${i}`, 'w'));
    const seen = differs(scan());
    expect(seen.listing.names).toHaveLength(20_001);
    expect(scan('', asKnown(seen))).toMatchObject({ state: 'same', entries: 20_000 });
  });

  it('keeps times that are before 1970 and beyond 2262', () => {
    fs.writeFileSync(`${base}/f`, 'x');
    for (const time of [
      '1901-12-14T00:00:00.500000001Z',
      '1969-12-31T23:59:59.999999999Z',
      '2446-05-10T00:00:00Z',
    ]) {
      touch(`${base}/f`, time);
      const kept = fs.lstatSync(`${base}/f`, { bigint: true }).mtimeNs;
      const column = differs(scan()).listing.stats[STAT_WIDTH + STAT.mtime]!;
      expect(timeNs(column)).toBe(kept);
    }
  });
});

describe('a scan is complete or failed', () => {
  it('of something that is no folder, or not there', () => {
    fs.writeFileSync(`${base}/f`, '');
    fs.symlinkSync('.', `${base}/l`);
    const reason = 'not a folder any more';
    expect(scan('f')).toEqual({ path: 'f', state: 'failed', reason });
    expect(scan('l')).toEqual({ path: 'l', state: 'failed', reason });
    expect(scan('f/g')).toEqual({ path: 'f/g', state: 'failed', reason });
    expect(scan('none')).toEqual({ path: 'none', state: 'failed', reason: 'not there any more' });
  });

  it('for somebody who may not read it or not look into it', ({ skip }) => {
    const why = whyNotAsNobody();
    skip(why !== undefined, why);
    fs.chmodSync(base, 0o755);
    for (const [name, mode] of [
      ['none', 0o000],
      ['x-only', 0o711],
      ['r-only', 0o744],
      ['open', 0o755],
    ] as const) {
      fs.mkdirSync(`${base}/${name}`);
      fs.writeFileSync(`${base}/${name}/file`, 'x');
      fs.chmodSync(`${base}/${name}`, process.getuid?.() === 0 ? mode : mode << 6);
    }
    const program = `
      import { scanDirectories } from ${moduleHere('scan.ts')};
      const [root, ...names] = process.argv.slice(1);
      const directories = names.map((path) => ({ path, known: undefined }));
      const reports = scanDirectories({ root, trust: { stats: true, inodes: true, grainNs: 0n }, directories });
      process.stdout.write(JSON.stringify(reports.map((one) => one.reason ?? one.listing.names.length)));`;
    const said = runAsNobody(program, base, 'none', 'x-only', 'r-only', 'open', 'none/below');
    expect(JSON.parse(said)).toEqual([...Array(3).fill('permission denied'), 2, 'permission denied']);
    for (const name of ['none', 'x-only', 'r-only']) fs.chmodSync(`${base}/${name}`, 0o755);
  });

  it('if one entry alone cannot be looked at, that is told, and it is neither there nor gone', () => {
    fs.writeFileSync(`${base}/a`, '');
    fs.writeFileSync(`${base}/b`, '');
    const known = asKnown(scan());
    const failing = {
      before: () => {
        throw Object.assign(new Error('EIO'), { code: 'EIO' });
      },
    };
    const seen = differs(whenever('lstatSync', '/a', failing, () => scan('', known)));
    expect(seen.listing.names).toEqual(['.', 'b']);
    expect(seen.unreadable).toEqual([{ name: 'a', reason: 'input/output error' }]);
  });

  it.each(['EIO', 'EACCES', 'EMFILE'])('if the listing fails with %s', (code) => {
    fs.writeFileSync(`${base}/a`, '');
    const failing = {
      before: () => {
        throw Object.assign(new Error(code), { code });
      },
    };
    const seen = whenever('readdirSync', base, failing, () => scan());
    expect(seen).toEqual({ path: '', state: 'failed', reason: reasonOf({ code }) });
  });

  it('without an entry that vanished meanwhile', () => {
    for (const name of ['a', 'b', 'c']) fs.writeFileSync(`${base}/${name}`, '');
    const vanish = { after: () => fs.rmSync(`${base}/b`) };
    expect(namesOf(whenever('readdirSync', base, vanish, () => scan()))).toEqual(['a', 'c']);
  });

  it('and sees a file that was renamed meanwhile under one of its names', () => {
    for (const name of ['a', 'b']) fs.writeFileSync(`${base}/${name}`, '');
    const rename = { after: () => fs.renameSync(`${base}/b`, `${base}/0`) };
    expect(namesOf(whenever('readdirSync', base, rename, () => scan()))).toEqual(['0', 'a']);
  });

  it('but is not read for ever if it changes all the time', () => {
    let n = 0;
    const churn = { after: () => fs.writeFileSync(`${base}/new ${n++}`, ''), times: 100 };
    expect(whenever('readdirSync', base, churn, () => scan()).state).toBe('differs');
    expect(n).toBeLessThan(10);
  });

  it('if another folder comes in its place meanwhile, and never a mixture of the two', () => {
    fs.mkdirSync(`${base}/a`);
    fs.writeFileSync(`${base}/a/old`, '');
    fs.mkdirSync(`${base}/new`);
    fs.writeFileSync(`${base}/new/other`, '');
    const swap = {
      after: () => {
        fs.renameSync(`${base}/a`, `${base}/aside`);
        fs.renameSync(`${base}/new`, `${base}/a`);
      },
    };
    expect(namesOf(whenever('readdirSync', '/a', swap, () => scan('a')))).toEqual(['other']);
  });

  it.each(['before', 'after'] as const)(
    'if a link to elsewhere comes in its place %s the listing',
    (when) => {
      fs.mkdirSync(`${base}/a`);
      fs.mkdirSync(`${base}/elsewhere`);
      fs.writeFileSync(`${base}/elsewhere/secret`, '');
      const swap = () => {
        fs.renameSync(`${base}/a`, `${base}/aside`);
        fs.symlinkSync('elsewhere', `${base}/a`);
      };
      const report = whenever('readdirSync', '/a', { [when]: swap }, () => scan('a'));
      expect(report).toEqual({ path: 'a', state: 'failed', reason: 'not a folder any more' });
    },
  );

  it('if it was made anew with the same inode number', () => {
    fs.mkdirSync(`${base}/a`);
    for (const name of ['1', '2', '3']) fs.writeFileSync(`${base}/a/${name}`, '');
    const anew = {
      after: () => {
        fs.rmSync(`${base}/a`, { recursive: true });
        fs.mkdirSync(`${base}/a`);
        fs.writeFileSync(`${base}/a/fresh`, '');
      },
    };
    expect(namesOf(whenever('readdirSync', '/a', anew, () => scan('a')))).toEqual(['fresh']);
  });

  it('each on its own, in the order asked for', () => {
    fs.mkdirSync(`${base}/a`);
    const directories = ['none', 'a', ''].map((one) => ({ path: one as FsPath, known: undefined }));
    const reports = scanDirectories({ root: bytePath(base), trust: TRUST, directories });
    expect(reports.map(({ path: one, state }) => [one, state])).toEqual([
      ['none', 'failed'],
      ['a', 'differs'],
      ['', 'differs'],
    ]);
  });
});

/** Makes folders far below what a path can name. @returns their path */
function makeDeep(name: string, depth: number): string {
  let fd = fs.openSync(base, fs.constants.O_RDONLY);
  for (let i = 0; i < depth; i++) {
    fs.mkdirSync(nodePath(`/proc/self/fd/${fd}/${name}`));
    const next = fs.openSync(nodePath(`/proc/self/fd/${fd}/${name}`), fs.constants.O_RDONLY);
    fs.closeSync(fd);
    fd = next;
  }
  fs.writeFileSync(`/proc/self/fd/${fd}/file`, 'deep');
  fs.closeSync(fd);
  return Array(depth).fill(name).join('/');
}

describe('paths longer than the kernel takes', () => {
  it('of 2,000 folders are scanned from the top to the bottom', () => {
    makeDeep('d\xfc\xff', 2_000);
    let depth = 0;
    let at = '';
    let opens = 0;
    const counting = { before: () => void opens++, times: Number.POSITIVE_INFINITY };
    whenever('openSync', '', counting, () => {
      for (; ; depth++) {
        const names = namesOf(scan(at));
        if (names[0] === 'file') break;
        expect(names).toEqual(['d\xfc\xff']);
        at = at === '' ? names[0]! : `${at}/${names[0]}`;
      }
    });
    expect(depth).toBe(2_000);
    expect(at.length).toBeGreaterThan(7_000);
    // A few opens for each, not one for every folder above it.
    expect(opens).toBeLessThan(2_000 * 5);
  });

  it.each([
    LONG_PATH - 3,
    LONG_PATH - 2,
    LONG_PATH - 1,
    LONG_PATH,
    LONG_PATH + 1,
    4_095,
    4_096,
    2 * LONG_PATH,
    20_000,
  ])('of %d bytes are reached whole', (length) => {
    const names: string[] = [];
    for (let left = length - base.length - 1; left > 0; left -= 256)
      names.push('x'.repeat(Math.min(left, 255)));
    const deep = names.join('/');
    spawnSync('python3', [
      '-c',
      'import os,sys\nos.chdir(sys.argv[1])\nfor n in sys.argv[2].split("/"):\n os.mkdir(n); os.chdir(n)\nopen("f","w").write("x"); os.symlink("f","l")',
      base,
      deep,
    ]);
    expect(namesOf(scan(deep))).toEqual(['f', 'l']);
    const known = asKnown(scan(deep));
    expect(scan(deep, known)).toMatchObject({ state: 'same', entries: 2 });
    const read = withPlace(bytePath(base), `${deep}/f`, (place) => fs.readFileSync(nodePath(place), 'utf8'));
    expect(read).toBe('x');
    expect(scan(`${deep}/l`)).toMatchObject({ state: 'failed', reason: 'not a folder any more' });
    expect(scan(`${deep}/none`)).toMatchObject({ state: 'failed', reason: 'not there any more' });
  });

  it('leave no descriptor open, whatever happens', () => {
    const deep = makeDeep('folder', 600);
    const before = fs.readdirSync('/proc/self/fd').length;
    scan(deep);
    scan(`${deep}/none`);
    expect(() =>
      withHeldDirectory(bytePath(base), deep, () => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(() => withHeldDirectory(bytePath(base), `${deep}/none/below`, () => 0)).toThrow();
    expect(fs.readdirSync('/proc/self/fd').length).toBe(before);
  });

  it('below a root that is long itself', () => {
    const root = `${base}/${Array(14).fill('r'.repeat(250)).join('/')}`;
    fs.mkdirSync(`${root}/sub`, { recursive: true });
    expect(root.length).toBeGreaterThan(LONG_PATH);
    expect(namesOf(scan('', undefined, root))).toEqual(['sub']);
    expect(namesOf(scan('sub', undefined, root))).toEqual([]);
  });
});

import fs from 'node:fs';
import path from 'node:path';
import { setMtimeOf } from './mtimes.ts';

/** What a file system can do, each thing tried, none concluded from its name. */
export interface Capabilities {
  readonly hardLinks: boolean;
  readonly reflinks: boolean;
  readonly symlinks: boolean;
  /** Permission bits come back as they were set. */
  readonly modes: boolean;
  /** Step of modification times in ns: 1, 100, 1000 … 2_000_000_000. */
  readonly timeStepNs: bigint;
  readonly caseSensitive: boolean;
  /** NFC and NFD spellings are two names, and come back as they were given. */
  readonly keepsUnicodeForms: boolean;
  /** Names of any bytes, not UTF-8 only. */
  readonly anyBytes: boolean;
}

/**
 * Tries everything in a new folder below `folder`, and removes it again.
 * @param folder absolute path of a folder of bk's own (`.bk/staging`, or a transaction's folder in it)
 * @param name of the new folder; must not exist
 * @throws the system's error if nothing can be written there at all
 */
export function probeCapabilities(folder: string, name: string): Capabilities {
  const dir = path.join(folder, name);
  fs.mkdirSync(dir, { mode: 0o700 });
  try {
    const file = path.join(dir, 'probe');
    fs.writeFileSync(file, 'probe', { flag: 'wx', mode: 0o600 });
    return {
      hardLinks: works(() => fs.linkSync(file, path.join(dir, 'link'))),
      reflinks: works(() =>
        fs.copyFileSync(file, path.join(dir, 'clone'), fs.constants.COPYFILE_FICLONE_FORCE),
      ),
      symlinks: works(() => fs.symlinkSync('probe', path.join(dir, 'symlink'))),
      modes: keepsModes(file),
      timeStepNs: timeStep(file),
      caseSensitive: !fs.existsSync(path.join(dir, 'PROBE')),
      keepsUnicodeForms: keepsUnicodeForms(dir),
      anyBytes: works(() =>
        fs.writeFileSync(Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0x66, 0xff, 0xfe])]), ''),
      ),
    };
  } finally {
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

function works(operation: () => void): boolean {
  try {
    operation();
    return true;
  } catch (error) {
    if (!REFUSALS.has(String((error as NodeJS.ErrnoException).code))) throw error;
    return false;
  }
}

/** The file system says that it has no such thing; a full or broken disk says something else. */
const REFUSALS = new Set([
  'EPERM',
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOSYS',
  'EINVAL',
  'EILSEQ',
  'ENOTTY',
  'EXDEV',
  'EMLINK',
  'EACCES',
  'ENOENT',
]);

function keepsModes(file: string): boolean {
  return [0o640, 0o755, 0o600].every(
    (mode) => works(() => fs.chmodSync(file, mode)) && (fs.statSync(file).mode & 0o777) === mode,
  );
}

const STEPS = [1n, 100n, 1_000n, 1_000_000n, 10_000_000n, 1_000_000_000n, 2_000_000_000n];
/** Small whole numbers of ns, and an odd second. */
const PROBES = [
  1n,
  123n,
  123_457n,
  3_000_001n,
  10_000_000n,
  30_000_000n,
  1_000_000_000n,
  315_532_801_000_000_000n,
];

/** The finest step of which all times that came back are multiples. */
function timeStep(file: string): bigint {
  const kept = PROBES.map((ns) => {
    if (!works(() => setMtimeOf(file, NINETIES + ns))) return 0n;
    return fs.statSync(file, { bigint: true }).mtimeNs;
  });
  return STEPS.findLast((step) => kept.every((ns) => ns % step === 0n)) ?? 1n;
}

/** FAT begins in 1980; where only a double can be set, it says times of the nineties to 119 ns, fine enough for every step but the finest. */
const NINETIES = 631_152_000_000_000_000n;

function keepsUnicodeForms(dir: string): boolean {
  const forms = ['\u00e9', 'e\u0301'];
  for (const form of forms) if (!works(() => fs.writeFileSync(path.join(dir, form), ''))) return false;
  const names = new Set(fs.readdirSync(dir));
  return forms.every((name) => names.has(name));
}

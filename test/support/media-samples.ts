import fs from 'node:fs';
import path from 'node:path';
import { hashBytes } from '../../packages/worktree/hash.ts';
import type { Difference } from './media-agreement.ts';

/** A file that a real camera, phone, encoder or tagger made. */
export interface Sample {
  readonly name: string;
  readonly file: string;
}

/** Test suites keep files that were damaged on purpose beside the real ones. */
const DAMAGED =
  /poc|crash|cve|ghsa|segfault|infloop|excessive|ooming|oob|fuzz|invalid|garbage|corrupt|unknowncode|issue_/i;

/** All samples below a folder whose names end like that, each content once, in a definite order. */
export function samplesIn(folder: string, extensions: RegExp): readonly Sample[] {
  return filesBelow(folder, extensions)
    .map((file) => ({ name: path.basename(file), file }))
    .filter(({ name }) => !DAMAGED.test(name));
}

/** The files themselves, those that were damaged on purpose too. */
export function filesBelow(folder: string, extensions: RegExp): readonly string[] {
  const seen = new Set<string>();
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && extensions.test(entry.name))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort()
    .filter((file) => seen.size < seen.add(hashBytes(fs.readFileSync(file))).size);
}

/**
 * Some samples are only the first segments of a photo. What a camera wrote into its EXIF is made a whole picture by
 * the frame and the pixels of another one. Undefined: the sample does not begin with EXIF.
 */
export function completed(sample: string, picture: string): Buffer | undefined {
  const bytes = fs.readFileSync(sample);
  if (bytes.toString('latin1', 6, 10) !== 'Exif' || bytes.readUInt16BE(2) !== 0xffe1) return undefined;
  const exif = bytes.subarray(0, 4 + bytes.readUInt16BE(4));
  return Buffer.concat([exif, fs.readFileSync(picture).subarray(2)]);
}

/** Why a field of a sample differs from what the oracle says, where the oracle is wrong or SPEC wants something else. */
export interface Exception {
  readonly name: RegExp;
  readonly field: RegExp;
  readonly why: string;
}

/** Differences that no exception names. */
export function unexplained<T extends Difference & { readonly name: string }>(
  differences: readonly T[],
  exceptions: readonly Exception[],
): readonly T[] {
  return differences.filter(
    (one) => !exceptions.some(({ name, field }) => name.test(one.name) && field.test(one.field)),
  );
}

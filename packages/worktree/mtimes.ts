/**
 * Modification times to the nanosecond. Node hands times to the system as a double of seconds, whose step is 238 ns
 * today, so most come out up to 120 ns off (measured, Node 24). `native` hands them over whole, also before 1970 and
 * for symlinks; where it is not there, times are as near as a double comes.
 */
import fs from 'node:fs';
import path from 'node:path';
import { native } from './native.ts';

export interface WantedMtime {
  /** A name in the batch's folder. */
  readonly name: string;
  readonly mtimeNs: bigint;
}

const NS = 1_000_000_000n;

/** Seconds since 1970 as a decimal, nine digits: '-0.000000001'. As a string Node takes times before 1970, as a number not. */
export function secondsText(ns: bigint): string {
  const size = ns < 0n ? -ns : ns;
  return `${ns < 0n ? '-' : ''}${size / NS}.${(size % NS).toString().padStart(9, '0')}`;
}

/**
 * Sets the modification time of a file, folder or (its own) symlink, as exactly as can be done here.
 * @throws the system's error
 */
export function setMtimeOf(file: string | Buffer, mtimeNs: bigint): void {
  const system = native();
  if (system !== undefined) system.setMtimeOf(file, mtimeNs);
  else fs.lutimesSync(file, secondsText(mtimeNs), secondsText(mtimeNs));
}

/**
 * Gives files of one folder of bk's own (staging) their times. They may be hard links to files elsewhere.
 * @param folder absolute path
 * @returns the names whose file system, or lack of a way, left them with another time
 */
export function setMtimes(folder: string, wanted: readonly WantedMtime[]): string[] {
  return wanted.flatMap(({ name, mtimeNs }) => {
    const file = path.join(folder, name);
    setMtimeOf(file, mtimeNs);
    return fs.lstatSync(file, { bigint: true }).mtimeNs === mtimeNs ? [] : [name];
  });
}

import { isHeldByHistory } from './copies.ts';
import type { EntryType } from './entry.ts';
import type { ContentHash } from './ids.ts';

/**
 * How two repositories let go of copies without losing the last one (SPEC 3, `drop`; RELIABILITY L). Four rules, each
 * kept by the repository that it binds:
 * 1. Who wants to drop says so first (its *intent*, with a deadline, durable), and only if no lease it gave still runs.
 * 2. Asked for a proof, a repository looks at its own disk now (howToProve), and gives a lease (mayGrant) only if it
 *    has no intent of its own for that content. While the lease runs it forms none.
 * 3. With enough proofs (mayDrop) the dropper lets go before its deadline, which lies before the end of every lease; when
 *    the deadline has passed it stops (isTooLate, asked anew just before each file goes).
 * 4. Leases are counted from when the dropper asked, by the dropper's clock; the holder counts from when it was asked,
 *    which is later. So no clocks are compared, only the same length of time. That clock must go on while the machine
 *    sleeps; of several the one that went on farthest counts.
 * Intents and leases are looked up and written under the repository's one writer lock.
 */
export type Proof = ProofHeld | ProofRefused;

interface Answer {
  /** UUID of the repository that was asked. */
  readonly repository: string;
  readonly name: string;
  readonly volume: string;
  readonly content: ContentHash;
}

export interface ProofHeld extends Answer {
  readonly held: true;
  /** By the dropper's clock, in ms, when the question was sent. */
  readonly askedMs: number;
  /** How long the holder keeps it, in ms from when it was asked. */
  readonly leaseMs: number;
}

export interface ProofRefused extends Answer {
  readonly held: false;
  /** A clause: "it is not plugged in", "it has other content at that path now". */
  readonly reason: string;
}

/** No lease counts for longer, whatever it says: a proof is of now. */
export const LONGEST_LEASE_MS = 3_600_000;

export interface DropTerms {
  /** Other volumes that must hold the content, at least 1. */
  readonly copies: number;
  readonly own: { readonly repository: string; readonly volume: string };
  /** All times are by one clock of this machine, in ms. */
  readonly nowMs: number;
  /** When this repository will have let go, or not at all. */
  readonly deadlineMs: number;
  /** When the leases end that this repository gave others for the same content. */
  readonly leasedMs?: readonly number[];
}

export interface DropContent {
  readonly blake3: ContentHash;
  /** Bytes. */
  readonly size: number;
  /** Absent: a file. */
  readonly type?: EntryType;
}

export type DropDecision =
  | { readonly drop: true; readonly volumes: readonly string[] }
  | { readonly drop: false; readonly reason: string };

/**
 * Whether this repository may let go of a content now, by these answers of others. Which answers are no proof, and why,
 * is in the reason: a clause for after "not dropped: ".
 */
export function mayDrop(content: DropContent, proofs: readonly Proof[], terms: DropTerms): DropDecision {
  if (!(Number.isSafeInteger(terms.copies) && terms.copies >= 1))
    return { drop: false, reason: 'at least one other volume must hold it' };
  if (isTooLate(terms)) return { drop: false, reason: 'there was not enough time to make sure' };
  if (isHeldByHistory(content)) return { drop: true, volumes: [] };
  if (terms.leasedMs?.some((untilMs) => !(untilMs <= terms.nowMs)))
    return { drop: false, reason: 'another repository is dropping its copy and relies on this one' };
  const volumes = new Set<string>();
  const repositories = new Set<string>();
  const doubts: string[] = [];
  for (const proof of proofs) {
    const doubt = doubtOf(proof, content, terms) ?? repetitionOf(proof, repositories, volumes);
    if (doubt !== undefined) doubts.push(`${proof.name}: ${doubt}`);
    else {
      volumes.add(proof.volume);
      repositories.add(proof.repository);
    }
  }
  if (volumes.size >= terms.copies) return { drop: true, volumes: [...volumes] };
  return { drop: false, reason: shortage(volumes.size, terms.copies, doubts) };
}

/** Whether the time for letting go has passed. True also when the clock makes no sense. */
export function isTooLate({ nowMs, deadlineMs }: Pick<DropTerms, 'nowMs' | 'deadlineMs'>): boolean {
  return !(nowMs < deadlineMs);
}

function doubtOf(proof: Proof, content: DropContent, terms: DropTerms): string | undefined {
  if (!proof.held) return proof.reason;
  if (proof.content !== content.blake3) return 'it answered for another content';
  if (proof.repository === terms.own.repository) return 'it is this repository';
  if (proof.volume === '') return 'its volume is not known';
  if (proof.volume === terms.own.volume) return 'it is on the same volume as this repository';
  if (!(proof.askedMs <= terms.nowMs)) return 'the clock was set back since it answered';
  const lease = Math.min(proof.leaseMs, LONGEST_LEASE_MS);
  if (!(proof.askedMs + lease > terms.deadlineMs)) return 'it does not promise to keep it for long enough';
  return undefined;
}

function repetitionOf(
  proof: Proof,
  repositories: ReadonlySet<string>,
  volumes: ReadonlySet<string>,
): string | undefined {
  if (repositories.has(proof.repository)) return 'it is counted already';
  return volumes.has(proof.volume) ? 'its volume is counted already' : undefined;
}

function shortage(found: number, needed: number, doubts: readonly string[]): string {
  const volumes = needed === 1 ? '1 other volume' : `${needed} other volumes`;
  const hold = needed === 1 ? 'that it holds it' : 'that they hold it';
  const shown = found === 0 ? 'none does' : found === 1 ? 'only 1 does' : `only ${found} do`;
  const why = doubts.length === 0 ? '' : ` (${doubts.join('; ')})`;
  return `${volumes} must prove now ${hold}, and ${shown}${why}`;
}

export interface GrantTerms {
  /** By this repository's clock, in ms. */
  readonly nowMs: number;
  /** What the dropper asks for. */
  readonly leaseMs: number;
  /** Deadlines of this repository's own intents to drop the same content. */
  readonly intentsMs: readonly number[];
}

export type Grant =
  | { readonly grant: true; readonly leaseMs: number }
  | { readonly grant: false; readonly reason: string };

/** Whether a repository that has just found the content on its disk may promise to keep it; the promise runs from now. */
export function mayGrant({ nowMs, leaseMs, intentsMs }: GrantTerms): Grant {
  if (intentsMs.some((deadlineMs) => !(deadlineMs <= nowMs)))
    return { grant: false, reason: 'it is dropping its own copy' };
  if (!(leaseMs > 0)) return { grant: false, reason: 'it was asked for no time' };
  return { grant: true, leaseMs: Math.min(leaseMs, LONGEST_LEASE_MS) };
}

/** Whether a repository may form the intent to drop a content: no lease that it gave for it still runs. */
export function mayIntend(leasedMs: readonly number[], nowMs: number): boolean {
  return leasedMs.every((untilMs) => untilMs <= nowMs);
}

/** A file as the index knows it or as `lstat` shows it. */
export interface FileStamp {
  readonly inode: bigint;
  readonly birthNs: bigint;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
}

export interface KnownFile extends FileStamp {
  readonly blake3: ContentHash;
  /** False for racy entries, rows that fail their check, and everything on a disk that was lost or given up for a time. */
  readonly trusted: boolean;
  /** Its bytes were read and found right on this disk at least once: hashed on arrival or verified. */
  readonly verified: boolean;
}

/** What it takes to prove that a path holds a content: nothing more than the stat, reading it, or it is not there. */
export function howToProve(
  content: DropContent,
  known: KnownFile | undefined,
  seen: FileStamp | undefined,
): 'stat' | 'read' | 'absent' {
  if (seen === undefined || seen.size !== content.size) return 'absent';
  if (known === undefined || !known.trusted || !known.verified) return 'read';
  const isSame =
    known.blake3 === content.blake3 &&
    known.inode !== 0n &&
    known.inode === seen.inode &&
    known.birthNs === seen.birthNs &&
    known.size === seen.size &&
    known.mtimeNs === seen.mtimeNs &&
    known.ctimeNs === seen.ctimeNs;
  return isSame ? 'stat' : 'read';
}

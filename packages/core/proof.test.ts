import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fakeHash } from './disk.fixture.ts';
import {
  type DropContent,
  type DropTerms,
  type FileStamp,
  howToProve,
  isTooLate,
  type KnownFile,
  LONGEST_LEASE_MS,
  mayDrop,
  mayGrant,
  mayIntend,
  type Proof,
  type ProofHeld,
} from './index.ts';

const CONTENT: DropContent = { blake3: fakeHash('x'), size: 1 };
const TERMS: DropTerms = {
  copies: 2,
  own: { repository: 'me', volume: 'v0' },
  nowMs: 1_000,
  deadlineMs: 20_000,
};
const held = (name: string, volume: string, more: Partial<ProofHeld> = {}): ProofHeld => ({
  repository: `r-${name}`,
  name,
  volume,
  content: CONTENT.blake3,
  held: true,
  askedMs: 500,
  leaseMs: 60_000,
  ...more,
});
const TWO = [held('disk1', 'v1'), held('disk2', 'v2')];
const reasonOf = (proofs: readonly Proof[], terms: Partial<DropTerms> = {}): string => {
  const decision = mayDrop(CONTENT, proofs, { ...TERMS, ...terms });
  return decision.drop ? 'dropped' : decision.reason;
};

describe('mayDrop', () => {
  test('with enough proofs', () => {
    expect(mayDrop(CONTENT, TWO, TERMS)).toEqual({ drop: true, volumes: ['v1', 'v2'] });
    expect(mayDrop(CONTENT, [held('a', 'v1')], { ...TERMS, copies: 1 })).toMatchObject({ drop: true });
  });

  const { held: _, askedMs: _a, leaseMs: _l, ...answer } = held('nas', 'v3');
  test.each<[string, readonly Proof[], Partial<DropTerms>, string]>([
    ['L01 nobody', [], {}, '2 other volumes must prove now that they hold it, and none does'],
    ['L01 too few', [held('disk1', 'v1')], {}, 'and only 1 does'],
    [
      'L02 the log is no proof',
      [{ ...answer, held: false, reason: 'it has lost it' }],
      {},
      'nas: it has lost it',
    ],
    [
      'L02 unplugged',
      [...TWO.slice(1), { ...answer, held: false, reason: 'it is not plugged in' }],
      {},
      'not plugged in',
    ],
    ['L03 one disk, two paths', [held('a', 'v1'), held('b', 'v1')], {}, 'b: its volume is counted already'],
    [
      'L03 one repository, two volumes',
      [TWO[0]!, { ...TWO[1]!, repository: 'r-disk1' }],
      {},
      'it is counted already',
    ],
    ['L03 our own volume', [TWO[0]!, held('b', 'v0')], {}, 'b: it is on the same volume as this repository'],
    ['L03 ourselves', [TWO[0]!, held('b', 'v2', { repository: 'me' })], {}, 'b: it is this repository'],
    ['no volume', [TWO[0]!, held('b', '')], {}, 'its volume is not known'],
    ['L04 they rely on us', TWO, { leasedMs: [1_001] }, 'another repository is dropping its copy'],
    [
      'L05 the lease ends before we do',
      [TWO[0]!, held('b', 'v2', { leaseMs: 19_500 })],
      {},
      'for long enough',
    ],
    [
      'an old proof with a long lease',
      [TWO[0]!, held('b', 'v2', { askedMs: 1_000 - LONGEST_LEASE_MS, leaseMs: 1e15 })],
      {},
      'for long enough',
    ],
    ['a lease that is no number', [TWO[0]!, held('b', 'v2', { leaseMs: Number.NaN })], {}, 'for long enough'],
    ['the clock was set back', [TWO[0]!, held('b', 'v2', { askedMs: 1_001 })], {}, 'the clock was set back'],
    ['L06 other content', [TWO[0]!, held('b', 'v2', { content: fakeHash('y') })], {}, 'another content'],
    ['L08 no copies asked for', TWO, { copies: 0 }, 'at least one other volume must hold it'],
    ['L08 less', TWO, { copies: -1 }, 'at least one other volume must hold it'],
    ['L08 not a number', TWO, { copies: Number.NaN }, 'at least one other volume must hold it'],
    ['the deadline has passed', TWO, { nowMs: 20_000 }, 'not enough time'],
    ['no clock', TWO, { nowMs: Number.NaN }, 'not enough time'],
  ])('%s', (_name, proofs, terms, reason) => expect(reasonOf(proofs, terms)).toContain(reason));

  test('one more than needed makes up for one that is no proof', () => {
    expect(reasonOf([held('x', 'v0'), ...TWO])).toBe('dropped');
  });

  test('a lease of ours that has ended binds nobody', () => {
    expect(reasonOf(TWO, { leasedMs: [1_000, 5] })).toBe('dropped');
  });

  test('what the history holds needs no proof', () => {
    expect(mayDrop({ ...CONTENT, size: 0 }, [], TERMS)).toEqual({ drop: true, volumes: [] });
    expect(mayDrop({ ...CONTENT, type: 'symlink' }, [], TERMS)).toEqual({ drop: true, volumes: [] });
  });

  test('never with fewer than N distinct volumes, whatever the answers', () => {
    const number = fc.constantFrom(
      Number.NaN,
      -1,
      0,
      400,
      900,
      1_100,
      30_000,
      1e15,
      Number.POSITIVE_INFINITY,
    );
    const proof: fc.Arbitrary<Proof> = fc
      .record({
        name: fc.constantFrom('a', 'b', 'c', 'd'),
        volume: fc.constantFrom('', 'v0', 'v1', 'v2', 'v3'),
        content: fc.constantFrom('x', 'x', 'x', 'y'),
        held: fc.boolean(),
        askedMs: number,
        leaseMs: number,
      })
      .map(({ name, volume, content, held: isHeld, ...lease }) =>
        isHeld
          ? held(name, volume, { ...lease, content: fakeHash(content) })
          : { repository: `r-${name}`, name, volume, content: fakeHash(content), held: false, reason: 'no' },
      );
    fc.assert(
      fc.property(fc.array(proof, { maxLength: 8 }), fc.integer({ min: -1, max: 3 }), (proofs, copies) => {
        const decision = mayDrop(CONTENT, proofs, { ...TERMS, copies });
        if (!decision.drop) return;
        const volumes = proofs
          .filter((p) => p.held && p.content === CONTENT.blake3 && p.volume !== 'v0' && p.volume !== '')
          .filter((p) => p.held && p.askedMs <= TERMS.nowMs && p.askedMs + p.leaseMs > TERMS.deadlineMs);
        expect(copies).toBeGreaterThan(0);
        expect(new Set(volumes.map((p) => p.volume)).size).toBeGreaterThanOrEqual(copies);
        expect(new Set(volumes.map((p) => p.repository)).size).toBeGreaterThanOrEqual(copies);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('howToProve', () => {
  const seen: FileStamp = { inode: 7n, birthNs: 1n, size: 1, mtimeNs: 2n, ctimeNs: 3n };
  const known: KnownFile = { ...seen, blake3: CONTENT.blake3, trusted: true, verified: true };
  test.each<[string, KnownFile | undefined, FileStamp | undefined, string]>([
    ['as it was verified', known, seen, 'stat'],
    ['L02 it is gone', known, undefined, 'absent'],
    ['of another size', known, { ...seen, size: 2 }, 'absent'],
    ['L06 changed since', known, { ...seen, mtimeNs: 9n }, 'read'],
    ['changed, times set back', known, { ...seen, ctimeNs: 9n }, 'read'],
    ['another file of that name', known, { ...seen, inode: 8n }, 'read'],
    ['an inode used again', known, { ...seen, birthNs: 9n }, 'read'],
    ['no stable inodes', { ...known, inode: 0n }, { ...seen, inode: 0n }, 'read'],
    ['the index knows other content', { ...known, blake3: fakeHash('y') }, seen, 'read'],
    ['not in the index', undefined, seen, 'read'],
    ['L07 a disk that was given up', { ...known, trusted: false }, seen, 'read'],
    ['never read here', { ...known, verified: false }, seen, 'read'],
  ])('%s', (_, index, stat, how) => expect(howToProve(CONTENT, index, stat)).toBe(how));
});

describe('mayGrant, mayIntend', () => {
  test('not while dropping, and never for longer than counts', () => {
    expect(mayGrant({ nowMs: 10, leaseMs: 5, intentsMs: [] })).toEqual({ grant: true, leaseMs: 5 });
    expect(mayGrant({ nowMs: 10, leaseMs: 1e12, intentsMs: [10] })).toEqual({
      grant: true,
      leaseMs: LONGEST_LEASE_MS,
    });
    expect(mayGrant({ nowMs: 10, leaseMs: 5, intentsMs: [3, 11] })).toMatchObject({ grant: false });
    expect(mayGrant({ nowMs: 10, leaseMs: 5, intentsMs: [Number.NaN] })).toMatchObject({ grant: false });
    expect(mayGrant({ nowMs: 10, leaseMs: Number.NaN, intentsMs: [] })).toMatchObject({ grant: false });
    expect([mayIntend([], 0), mayIntend([5, 9], 9), mayIntend([10], 9)]).toEqual([true, true, false]);
  });
});

/** Rules that can be broken on purpose, to see that the model notices. */
type Rule = 'intents' | 'deadlines' | 'leases' | 'lease ends';

/** One repository that drops and answers; times are what is left of them, in ticks, so that there are finitely many states. */
interface Party {
  readonly holds: boolean;
  /** The longest lease that it gave. */
  readonly lease: number;
  readonly intent: number;
  /** Of the drop under way. */
  readonly deadline?: number;
  /** How long ago it asked each of the others that promised. */
  readonly asked: readonly (number | undefined)[];
  readonly decided: boolean;
}
type State = readonly Party[];

const IDLE = { asked: [], decided: false } as const;

/** Every order of steps of all parties: forming the intent, asking, deciding, letting go, dying, and time going by. */
class Model {
  readonly volumes: readonly string[];
  readonly copies: number;
  readonly terms: { readonly lease: number; readonly deadline: number };
  readonly broken: readonly Rule[];
  drops = 0;

  constructor(
    volumes: readonly string[],
    copies: number,
    terms: Model['terms'],
    broken: readonly Rule[] = [],
  ) {
    this.volumes = volumes;
    this.copies = copies;
    this.terms = terms;
    this.broken = broken;
  }

  /** @returns the number of states, or the first one with too few copies */
  explore(): number | State {
    const start: State = this.volumes.map(() => ({ ...IDLE, holds: true, lease: 0, intent: 0 }));
    const seen = new Set([JSON.stringify(start)]);
    const open = [start];
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      const left = new Set(this.volumes.filter((_, i) => state[i]?.holds));
      if (left.size < this.copies) return state;
      for (const next of this.#next(state)) {
        const key = JSON.stringify(next);
        if (seen.has(key)) continue;
        seen.add(key);
        open.push(next);
      }
    }
    return seen.size;
  }

  *#next(state: State): Iterable<State> {
    yield state.map((party) => older(party, this.terms.lease));
    for (const [i, me] of state.entries()) {
      const becomes = (party: Partial<Party>): State => state.with(i, { ...me, ...party });
      if (me.deadline === undefined) {
        if (me.holds && (this.broken.includes('leases') || mayIntend([nowOf(i) + me.lease], nowOf(i))))
          yield becomes({ ...IDLE, intent: this.terms.deadline, deadline: this.terms.deadline });
        continue;
      }
      const { deadline: _, ...stopped } = { ...me, ...IDLE };
      yield state.with(i, stopped);
      for (const [j, other] of state.entries()) {
        if (i === j || me.asked[j] !== undefined || !this.#grants(other, j)) continue;
        const asked = this.volumes.map((_, k) => (k === j ? 0 : me.asked[k]));
        yield becomes({ asked }).with(j, { ...other, lease: Math.max(other.lease, this.terms.lease) });
      }
      if (this.#decides(me, i)) yield becomes({ decided: true });
      const terms = { nowMs: nowOf(i), deadlineMs: nowOf(i) + me.deadline };
      if (!me.decided || (!this.broken.includes('deadlines') && isTooLate(terms))) continue;
      this.drops++;
      yield state.with(i, { ...stopped, holds: false, intent: 0 });
    }
  }

  #grants(other: Party, j: number): boolean {
    const intentsMs = this.broken.includes('intents') ? [] : [nowOf(j) + other.intent];
    return other.holds && mayGrant({ nowMs: nowOf(j), leaseMs: this.terms.lease, intentsMs }).grant;
  }

  #decides(me: Party, i: number): boolean {
    const leaseMs = this.broken.includes('lease ends') ? 100 : this.terms.lease;
    const proofs = this.volumes.flatMap((volume, j) => {
      const age = me.asked[j];
      return age === undefined ? [] : [held(`${j}`, volume, { askedMs: nowOf(i) - age, leaseMs })];
    });
    return mayDrop(CONTENT, proofs, {
      copies: this.copies,
      own: { repository: `r-${i}`, volume: this.volumes[i] as string },
      nowMs: nowOf(i),
      deadlineMs: nowOf(i) + (me.deadline ?? 0),
      leasedMs: this.broken.includes('leases') ? [] : [nowOf(i) + me.lease],
    }).drop;
  }
}

/** Clocks go alike, but show different times. */
function nowOf(party: number): number {
  return 1_000_000 * (party + 1);
}

function older(party: Party, oldest: number): Party {
  const asked = party.asked.map((age) => (age === undefined ? undefined : Math.min(age + 1, oldest + 1)));
  const deadline = party.deadline === undefined ? {} : { deadline: Math.max(party.deadline - 1, 0) };
  const lease = Math.max(party.lease - 1, 0);
  return { ...party, asked, lease, intent: Math.max(party.intent - 1, 0), ...deadline };
}

describe('droppers at once, in every order (L04)', () => {
  const LONG = { lease: 4, deadline: 3 };
  const SHORT = { lease: 2, deadline: 1 };

  test.each<[readonly string[], number, Model['terms']]>([
    [['a', 'b'], 1, LONG],
    [['a', 'b', 'b'], 1, SHORT],
    [['a', 'b', 'c'], 1, SHORT],
    [['a', 'b', 'c'], 2, SHORT],
  ])('on volumes %j never fewer than %i copies', (volumes, copies, terms) => {
    const model = new Model(volumes, copies, terms);
    const states = model.explore();
    expect(states).toBeTypeOf('number');
    expect(states).toBeGreaterThan(100);
    expect(model.drops).toBeGreaterThan(0);
  });

  test('of intents and leases each alone would do', () => {
    for (const rule of ['intents', 'leases'] as const)
      expect(new Model(['a', 'b'], 1, LONG, [rule]).explore()).toBeTypeOf('number');
  });

  test('also with leases that are shorter than a drop', () => {
    expect(new Model(['a', 'b'], 1, { lease: 2, deadline: 4 }).explore()).toBeTypeOf('number');
  });

  test.each<[readonly Rule[], Model['terms']]>([
    [['deadlines'], LONG],
    [['intents', 'leases'], LONG],
    [['lease ends', 'intents'], { lease: 1, deadline: 4 }],
  ])('the model notices when nobody minds %j', (broken, terms) => {
    expect(new Model(['a', 'b'], 1, terms, broken).explore()).toBeInstanceOf(Array);
  });
});

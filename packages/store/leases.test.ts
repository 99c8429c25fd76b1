import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { ContentHash } from '@bk/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { activeLeases, grantLease, leasesFile, releaseLease } from './leases.ts';

let layout: { readonly dot: string };
beforeEach(() => {
  layout = { dot: fs.mkdtempSync(path.join(os.tmpdir(), 'bk-leases-')) };
});
afterEach(() => fs.rmSync(layout.dot, { recursive: true }));

const hash = (n: number) => String(n).padStart(64, '0') as ContentHash;
const terms = { nowMs: 1_000, forMs: 60_000, most: 3, mostContents: 5 };
const grant = (...numbers: number[]) => grantLease(layout, numbers.map(hash), terms);

test('no more promises, and no more contents in them, than may be open at once', () => {
  const first = grant(1, 2, 3);
  expect(() => grant(1, 2, 4)).toThrow(/1 promises are open/);
  grant(1, 2);
  expect(() => grant(1)).toThrow(/2 promises are open/);
  releaseLease(layout, first, terms.nowMs);
  grant(4);
  grant(5);
  expect(() => grant(6)).toThrow(/3 promises are open/);
  expect([...activeLeases(layout, terms.nowMs).keys()].sort()).toEqual([1, 2, 4, 5].map(hash));
  // Those that are over count no more.
  expect(grantLease(layout, [hash(6)], { ...terms, nowMs: 61_000 })).toMatch(/^[0-9a-f]{32}$/);
});

test('a content that is named many times is promised once', () => {
  grant(...new Array<number>(1_000).fill(7));
  expect(fs.statSync(leasesFile(layout)).size).toBeLessThan(500);
});

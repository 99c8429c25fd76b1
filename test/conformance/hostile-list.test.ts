import { expect, test } from 'vitest';
import { HOSTILE_ADDRESSES } from '../../packages/remote/address.fixture.ts';
import { FORGED_PACKS } from './forged-packs.ts';
import { FORGED_TREES } from './forged-trees.ts';
import { HOSTILE_EXCHANGES } from './hostile-exchanges.ts';
import { HOSTILE_HOSTS } from './hostile-hosts.ts';

/** Everything forged, by class; frames of the wire have lists of their own (hostile-client, hostile-server). */
const CLASSES: Readonly<Record<string, readonly (readonly [mirrors: string, what: string, ...unknown[]])[]>> =
  {
    'trees, records, commits, presences': FORGED_TREES,
    packs: FORGED_PACKS,
    'git hosts: who is there, refs': HOSTILE_HOSTS,
    'git hosts: fetch, push': HOSTILE_EXCHANGES,
    addresses: HOSTILE_ADDRESSES.map(([mirrors, text]) => [mirrors, JSON.stringify(text).slice(0, 60)]),
  };

/** Classes of the hostile list that forged data can try; the others are about programs, folders and screens. */
const MIRRORED = ['S01', 'S02', 'S03', 'S05', 'S06', 'S09', 'S10', 'S11', 'S12', 'S14', 'S15', 'S16'];

/** BK_HOSTILE_LIST=1 prints it. */
test('the hostile list is long enough, and says each thing once', () => {
  const all = Object.values(CLASSES).flat();
  if (process.env['BK_HOSTILE_LIST'] === '1') console.log(tableOf());
  expect(all.length).toBeGreaterThanOrEqual(150);
  for (const list of Object.values(CLASSES))
    expect(list.length - new Set(list.map(([, what]) => what)).size).toBe(0);
  const mirrored = all.map(([mirrors]) => mirrors).join(' ');
  expect(MIRRORED.filter((one) => !mirrored.includes(one))).toEqual([]);
});

function tableOf(): string {
  const rows = Object.entries(CLASSES).flatMap(([name, list]) => [
    `${name}: ${list.length}`,
    ...list.map(([mirrors, what]) => `  ${mirrors.padEnd(24)}  ${what}`),
  ]);
  return rows.join('\n');
}

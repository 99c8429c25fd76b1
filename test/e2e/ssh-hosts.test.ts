import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { bk, errorOf, repository, run } from '../support/bk.ts';
import { must } from '../support/mounts.ts';
import { needs, needsPrograms, needsRoot } from '../support/programs.ts';
import { needsSshd, Sshd } from '../support/sshd.ts';
import { atEnd, fastFolder, temporaryFolder } from '../support/temporary.ts';
import { rsyncDifferences } from '../support/two.ts';

const HERE = `bk-here-${process.pid}`;
const THERE = `bk-there-${process.pid}`;

/** Two network namespaces with a cable between them; false if that is not allowed here. */
function cabled(): boolean {
  if (spawnSync('ip', ['netns', 'add', HERE]).status !== 0) return false;
  must(['ip', 'netns', 'add', THERE]);
  atEnd(() => {
    for (const one of [HERE, THERE]) spawnSync('ip', ['netns', 'delete', one]);
  });
  must(['ip', '-n', HERE, 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', THERE]);
  for (const [name, address] of [
    [HERE, '10.99.0.1/24'],
    [THERE, '10.99.0.2/24'],
  ] as const) {
    must(['ip', '-n', name, 'address', 'add', address, 'dev', 'cable']);
    must(['ip', '-n', name, 'link', 'set', 'cable', 'up']);
    must(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
  }
  return true;
}

test('two hosts: a clone and a sync; with the cable out it is told, and nothing is lost', async (context) => {
  needsSshd(context);
  needsPrograms(context, 'ip');
  needsRoot(context);
  needs(context, 'network namespaces', cabled());
  const through = ['ip', 'netns', 'exec', HERE];
  const sshd = await Sshd.start({ host: '10.99.0.2', through: ['ip', 'netns', 'exec', THERE] });
  const there = path.join(fastFolder('bk-there-'), 'there');
  smallTree(there);
  repository(there);
  const here = path.join(temporaryFolder('bk-here-'), 'here');
  const { env } = sshd;
  bk(['clone', sshd.address(there), here], { env, through, expect: [0] });
  expect(rsyncDifferences(there, here)).toEqual([]);
  // From another host nobody answers at that address.
  const elsewhere = run(['--json', '-C', here, 'fetch', 'origin'], {
    env: { ...env, BK_SSH_TIMEOUT: '3' },
  });
  expect(elsewhere.code).toBe(4);

  fs.writeFileSync(path.join(here, 'new'), 'new');
  must(['ip', '-n', HERE, 'link', 'set', 'cable', 'down']);
  const cut = run(['--json', '-C', here, 'push', 'origin'], {
    env: { ...env, BK_SSH_TIMEOUT: '3' },
    through,
  });
  expect(cut.code).toBe(4);
  expect(`${cut.stdout}${cut.stderr}`).toMatch(/cannot reach ssh:/);
  expect(errorOf(cut).message ?? '').not.toMatch(/undefined/);
  must(['ip', '-n', HERE, 'link', 'set', 'cable', 'up']);
  bk(['-C', here, 'sync'], { env, through, expect: [0] });
  expect(rsyncDifferences(here, there)).toEqual([]);
});

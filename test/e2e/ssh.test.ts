import fs from 'node:fs';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { type Answer, bk, type RunOptions, repository } from '../support/bk.ts';
import { differences, snapshot } from '../support/snapshot.ts';
import { hasSshd, needsSshd, Sshd } from '../support/sshd.ts';
import { fastFolder, temporaryFolder } from '../support/temporary.ts';
import { id, of, rsyncDifferences } from '../support/two.ts';

let sshd: Sshd;
beforeAll(async () => {
  if (hasSshd()) sshd = await Sshd.start();
});

/** bk as the client of that sshd. */
function client(args: readonly string[], options: RunOptions & { expect?: readonly number[] } = {}): Answer {
  return bk(args, { ...options, env: { ...sshd.env, ...options.env } });
}

/** A repository here, and its clone by ssh: `here` knows the other as `there`. */
function pair(): { here: string; there: string } {
  const there = path.join(fastFolder('bk-there-'), 'there');
  const here = path.join(temporaryFolder('bk-here-'), 'here');
  smallTree(there);
  repository(there);
  client(['clone', sshd.address(there), here]);
  client(['-C', here, 'remote', 'remove', 'origin']);
  client(['-C', here, 'remote', 'add', 'there', sshd.address(there)]);
  return { here, there };
}

describe('over ssh', () => {
  test('a clone has everything, and its source knows of it', (context) => {
    needsSshd(context);
    const there = path.join(fastFolder('bk-there-'), 'with spaces; $(touch x) ü');
    smallTree(there);
    repository(there);
    const here = path.join(temporaryFolder('bk-here-'), 'here');
    const made = client(['clone', sshd.address(there), here], { expect: [0] });
    expect(made['missing']).toEqual([]);
    expect(differences(snapshot(there), snapshot(here), { inode: false })).toEqual([]);
    expect(bk(['-C', here, 'status'], { expect: [0] }).changes).toEqual([]);
    const { remotes } = client(['-C', here, 'remote', 'list']) as unknown as { remotes: unknown };
    expect(remotes).toMatchObject([{ name: 'origin', address: sshd.address(there), id: id(there) }]);
  });

  test('fetch, push, merge and sync', (context) => {
    needsSshd(context);
    const { here, there } = pair();
    fs.writeFileSync(path.join(here, 'new here'), 'here');
    fs.writeFileSync(path.join(here, 'large here'), Buffer.alloc(9_000_000, 'large'));
    bk(['-C', here, 'commit', '-m', 'here']);
    const pushed = of(client(['-C', here, 'push', 'there'], { expect: [0] }));
    expect(pushed).toMatchObject({ moved: true, left: [], missing: [], sent: { files: 2 } });
    expect(rsyncDifferences(here, there)).toEqual([]);
    fs.writeFileSync(path.join(there, 'new there'), 'there');
    bk(['-C', there, 'commit', '-m', 'there']);
    expect(of(client(['-C', here, 'fetch', 'there'], { expect: [0] }))).toMatchObject({ moved: true });
    fs.writeFileSync(path.join(here, 'new here too'), 'here too');
    bk(['-C', here, 'commit', '-m', 'here too']);
    client(['-C', here, 'merge', 'there'], { expect: [0] });
    expect(fs.readFileSync(path.join(here, 'new there'), 'utf8')).toBe('there');
    fs.writeFileSync(path.join(here, 'more'), 'more');
    client(['-C', here, 'sync'], { expect: [0] });
    expect(rsyncDifferences(here, there)).toEqual([]);
  });
});

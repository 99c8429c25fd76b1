import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { bk, repository, run } from '../support/bk.ts';
import { mounted, must, needsVolumes } from '../support/mounts.ts';
import { AS_SSH } from '../support/over.ts';
import { fastFolder } from '../support/temporary.ts';

type Result = { done: { path: string }[]; refused: { path: string; reason: string }[]; bytes: number };
const asked = (args: readonly string[], expected = [0]) =>
  bk(args, { expect: expected }) as unknown as Result;

/** Every file with its bytes and times. */
function contentsOf(root: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of fs.readdirSync(root, { recursive: true, withFileTypes: true })) {
    const at = path.join(entry.parentPath, entry.name);
    if (path.relative(root, at).startsWith('.bk') || entry.isDirectory()) continue;
    const { mtimeNs, mode } = fs.lstatSync(at, { bigint: true });
    const bytes = entry.isSymbolicLink() ? fs.readlinkSync(at) : fs.readFileSync(at, 'latin1');
    found.set(path.relative(root, at), `${mode} ${mtimeNs} ${bytes}`);
  }
  return found;
}

test('two disks: dropped, gone nowhere, brought back exactly', (context) => {
  needsVolumes(context);
  const here = path.join(mounted('ext4'), 'here');
  const there = path.join(mounted('ext4'), 'there');
  smallTree(here);
  repository(here);
  bk(['-C', here, 'clone', here, there]);
  const before = contentsOf(here);
  const head = bk(['-C', here, 'log', '-n', '1'])['commits'];

  const refused = asked(['-C', here, 'drop', '.'], [3]);
  expect(refused.refused.length).toBeGreaterThan(0);
  expect(refused.refused[0]?.reason).toContain(
    '2 other volumes must prove now that they hold it, and only 1 does',
  );
  expect(contentsOf(here)).toEqual(before);

  const dropped = asked(['-C', here, 'drop', 'photos', '--copies', '1']);
  expect(dropped.refused).toEqual([]);
  expect(fs.existsSync(path.join(here, 'photos'))).toBe(false);
  expect(bk(['-C', here, 'status']).changes).toEqual([]);
  expect(bk(['-C', here, 'commit', '-m', 'nothing']).commit).toBeNull();
  expect(bk(['-C', here, 'log', '-n', '1'])['commits']).toEqual(head);
  expect(bk(['-C', here, 'recover', '--list']).recoverable).toEqual([]);
  expect(bk(['-C', here, 'check'])['problems']).toEqual([]);
  expect(bk(['-C', here, 'verify'])['missing']).toEqual([]);

  const last = run(['-C', there, '--json', 'drop', 'photos', '--copies', '1']);
  expect(last.code).toBe(3);
  expect((JSON.parse(last.stdout) as Result).done).toEqual([]);

  const back = asked(['-C', here, 'get', 'photos']);
  expect(back.done.map((one) => one.path).sort()).toEqual(dropped.done.map((one) => one.path).sort());
  expect(contentsOf(here)).toEqual(before);
  expect(bk(['-C', here, 'status']).changes).toEqual([]);
  expect(bk(['-C', here, 'check'])['problems']).toEqual([]);
  expect(asked(['-C', here, 'get', 'photos'])).toEqual({ done: [], refused: [], bytes: 0 });
});

test('an index that was lost knows again what is not here', (context) => {
  needsVolumes(context);
  const here = path.join(mounted('ext4'), 'here');
  const there = path.join(mounted('ext4'), 'there');
  smallTree(here);
  repository(here);
  bk(['-C', here, 'clone', here, there]);
  asked(['-C', here, 'drop', 'photos', '--copies', '1']);
  for (const name of ['index.sqlite', 'index.sqlite-wal', 'index.sqlite-shm'])
    fs.rmSync(path.join(here, '.bk', name), { force: true });
  expect(bk(['-C', here, 'status']).changes).toEqual([]);
  asked(['-C', here, 'get', 'photos']);
  expect(contentsOf(here)).toEqual(contentsOf(there));
});

test('L03: two repositories on one volume are one copy', () => {
  const base = fastFolder('bk-one-volume-');
  const here = path.join(base, 'here');
  smallTree(here);
  repository(here);
  bk(['-C', here, 'clone', here, path.join(base, 'there')]);
  const refused = asked(['-C', here, 'drop', 'photos', '--copies', '1'], [3]);
  expect(refused.done).toEqual([]);
  expect(refused.refused[0]?.reason).toContain('it is on the same volume as this repository');
});

test('an unplugged disk proves nothing, and get says where it was', (context) => {
  needsVolumes(context);
  const here = path.join(mounted('ext4'), 'here');
  const there = path.join(mounted('ext4'), 'there');
  smallTree(here);
  repository(here);
  bk(['-C', here, 'clone', here, there]);
  asked(['-C', here, 'drop', 'photos/2019', '--copies', '1']);
  fs.renameSync(there, `${there}-away`);
  const refused = asked(['-C', here, 'drop', 'notes', '--copies', '1'], [3]);
  expect(refused.refused[0]?.reason).toContain('there is no repository now');
  const failed = asked(['-C', here, 'get', 'photos/2019'], [1]);
  expect(failed.done).toEqual([]);
  expect(failed.refused[0]?.reason).toMatch(/it was on there \(seen \d{4}-/);
});

test('a disk that can only be read promises nothing, and drop says so', (context) => {
  needsVolumes(context);
  const here = path.join(mounted('ext4'), 'here');
  const point = mounted('ext4');
  const there = path.join(point, 'there');
  smallTree(here);
  repository(here);
  bk(['-C', here, 'clone', here, there]);
  must(['mount', '-o', 'remount,ro', point]);
  const env = { BK_SSH_COMMAND: AS_SSH };
  for (const address of [there, `ssh://there${there}`]) {
    bk(['-C', here, 'remote', 'remove', 'there']);
    bk(['-C', here, 'remote', 'add', 'there', address], { env });
    const refused = bk(['-C', here, 'drop', 'photos', '--copies', '1'], { env, expect: [3] });
    expect(refused, address).toMatchObject({ done: [], bytes: 0 });
    expect(JSON.stringify(refused['refused'])).toContain(
      '(there: cannot promise that contents stay: the other repository cannot be written)',
    );
  }
});

test('wrong use', () => {
  const here = path.join(fastFolder('bk-get-'), 'here');
  smallTree(here);
  repository(here);
  for (const copies of ['0', '-1', 'x', '1.5'])
    expect(run(['-C', here, 'drop', 'photos', `--copies=${copies}`]).code).toBe(2);
  expect(run(['-C', here, 'drop']).code).toBe(2);
  expect(run(['-C', here, 'get']).code).toBe(2);
  expect(asked(['-C', here, 'get', 'nowhere'], [1]).refused[0]?.path).toBe('nowhere');
});

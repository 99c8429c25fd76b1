import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { smallTree } from '../../fixtures/small-tree.ts';
import { type Answer, bk, run } from '../support/bk.ts';
import { Disk, needsVolumes } from '../support/mounts.ts';
import { fastFolder } from '../support/temporary.ts';
import { rsyncDifferences } from '../support/two.ts';

/** A machine has its own volume; while another is at work it is not there. */
interface Machine {
  readonly name: string;
  readonly volume: Disk;
  readonly root: string;
  /** Where the courier is when it is plugged in here. */
  readonly slot: string;
}

/** Laptop and desktop never meet; a disk with a repository of a part of the tree goes to and fro. */
class Family {
  readonly #home = fastFolder('bk-courier-');
  readonly #courier = new Disk();
  readonly laptop = this.#machine('laptop');
  readonly desktop = this.#machine('desktop');
  /** What ever was in a file, so that nothing of it may be lost. */
  readonly written = new Map<string, string>();

  #machine(name: string): Machine {
    const at = path.join(this.#home, name);
    return {
      name,
      volume: new Disk(),
      root: path.join(at, 'disk/pictures'),
      slot: path.join(at, 'media/courier'),
    };
  }

  /** The machine runs, with or without the courier; whatever else was there is gone. */
  run(machine: Machine, { courier }: { readonly courier: boolean }): void {
    for (const { volume } of [this.laptop, this.desktop]) volume.unplug();
    this.#courier.unplug();
    machine.volume.plugInto(path.dirname(machine.root));
    if (courier) this.#courier.plugInto(machine.slot);
  }

  repository(machine: Machine): string {
    return path.join(machine.slot, 'pictures');
  }

  write(machine: Machine, file: string, text: string): void {
    const full = path.join(machine.root, file);
    fs.mkdirSync(path.dirname(full), { recursive: true });
    fs.writeFileSync(`${full}.new`, text);
    fs.renameSync(`${full}.new`, full);
    this.written.set(sha(Buffer.from(text)), file);
  }
}

test('a disk carries history, presence and contents between two machines that never meet', (context) => {
  needsVolumes(context);
  const family = new Family();
  const { laptop, desktop } = family;
  family.run(laptop, { courier: true });
  smallTree(laptop.root);
  for (const [hash, file] of contents(laptop.root)) family.written.set(hash, file);
  bk(['init', '--name', 'laptop', laptop.root]);
  bk(['-C', laptop.root, 'commit', '-m', 'first']);
  const some = ['--subset', 'photos', '--subset', 'notes', '--subset', 'shared'];
  bk(['-C', laptop.root, 'clone', '--name', 'courier', ...some, family.repository(laptop)]);

  // The courier knows the laptop where it is; to the desktop it comes at another place.
  family.run(desktop, { courier: true });
  const cloned = bk(['clone', '--name', 'desktop', family.repository(desktop), desktop.root]);
  expect((cloned['missing'] as unknown[]).length).toBeGreaterThan(5);
  expect(bk(['-C', desktop.root, 'status']).changes).toEqual([]);
  expect(holders(desktop.root, 'top.bin')).toEqual(['laptop']);
  expect(remotes(desktop.root)).toEqual([['origin', family.repository(desktop)]]);

  for (let round = 1; round <= 3; round++) {
    family.run(laptop, { courier: false });
    edit(family, laptop, round);
    bk(['-C', laptop.root, 'commit', '-m', `laptop ${round}`, '--confirm-deletions']);
    family.run(desktop, { courier: false });
    edit(family, desktop, round);
    for (const machine of [laptop, desktop]) {
      family.run(machine, { courier: true });
      synced(machine);
      if (machine === laptop) continue;
      // What is put on the courier itself, on the way, is committed there.
      const there = { ...machine, root: family.repository(machine) };
      family.write(there, `shared/way ${round}`, `w${round}`);
      bk(['-C', there.root, 'commit', '-m', 'on the way']);
    }
  }
  // The last news go around.
  const isIn = (machine: Machine) => {
    family.run(machine, { courier: true });
    synced(machine);
  };
  isIn(laptop);
  isIn(desktop);
  // What the courier did not want at first lay on the laptop alone; since it was moved, the courier has brought it.
  expect(bk(['-C', desktop.root, 'get', 'shared/album'])).toMatchObject({ refused: [] });
  synced(desktop);
  isIn(laptop);
  agreed(family);
}, 240_000);

/** Both move, edit, add and delete; the same file is edited in both, one that one moved the other edited. */
function edit(family: Family, machine: Machine, round: number): void {
  const { root, name } = machine;
  const move = (from: string, to: string) => {
    fs.mkdirSync(path.dirname(path.join(root, to)), { recursive: true });
    fs.renameSync(path.join(root, from), path.join(root, to));
  };
  family.write(machine, `shared/of ${name} ${round}.txt`, `${name} ${round}`);
  family.write(machine, `apart/of ${name} ${round}.txt`, `outside of the courier's part: ${name} ${round}`);
  family.write(machine, 'notes/todo.txt', `both edit this: ${name} ${round}`);
  if (name === 'laptop') {
    move(round === 1 ? 'photos/2019' : `photos/2019 ${round - 1}`, `photos/2019 ${round}`);
    if (round === 2) fs.rmSync(path.join(root, 'photos/2019 2/img_5.jpg'));
    if (round === 3) move('music/album', 'shared/album');
  } else {
    const folder = fs.readdirSync(path.join(root, 'photos')).find((one) => one.startsWith('2019')) ?? '';
    family.write(machine, `photos/${folder}/img_${round}.jpg`, `cropped at the desktop, ${round}`);
    family.write(machine, `photos/${folder}/new ${round}.jpg`, `added at the desktop, ${round}`);
    if (round === 2) fs.rmSync(path.join(root, 'notes/letter.txt'));
  }
}

function synced({ root }: Machine): void {
  const done = run(['-C', root, '--json', 'sync', '-m', 'by courier']);
  expect([0, 1], done.stderr).toContain(done.code);
  const answer = JSON.parse(done.stdout) as Answer;
  const reached = (answer['remotes'] as { name: string; refused?: true }[]).map(({ name }) => name);
  expect(reached).toHaveLength(1);
  expect((answer['pushed'] as { reason?: string }[]).map(({ reason }) => reason)).toEqual([undefined]);
}

function agreed(family: Family): void {
  const { laptop, desktop } = family;
  family.run(desktop, { courier: true });
  laptop.volume.plugInto(path.dirname(laptop.root));
  const roots = [laptop.root, desktop.root, family.repository(desktop)];
  expect(new Set(roots.map((root) => head(root))).size).toBe(1);
  for (const root of roots) {
    expect(bk(['-C', root, 'status']).changes).toEqual([]);
    expect(bk(['-C', root, 'check'])).toMatchObject({ ok: true, problems: [] });
  }
  // Where all three want it, all three have it; nothing that was ever written is gone.
  for (const part of ['photos', 'notes', 'shared'])
    for (const root of roots.slice(1))
      expect(rsyncDifferences(path.join(laptop.root, part), path.join(root, part))).toEqual([]);
  expect(fs.existsSync(path.join(family.repository(desktop), 'apart'))).toBe(false);
  const kept = new Set(roots.flatMap((root) => [...contents(root).keys()]));
  expect([...family.written].filter(([hash]) => !kept.has(hash))).toEqual([]);
  expect(fs.existsSync(path.join(laptop.root, 'notes/letter.txt'))).toBe(false);
  expect(fs.existsSync(path.join(desktop.root, 'photos/2019 3/img_5.jpg'))).toBe(false);
  expect(fs.readFileSync(path.join(laptop.root, 'photos/2019 3/img_3.jpg'), 'utf8')).toMatch(/cropped/);

  // In a drawer: each still knows who holds what.
  for (const machine of [laptop, desktop]) {
    family.run(machine, { courier: false });
    const other = machine === laptop ? desktop : laptop;
    expect(holders(machine.root, 'photos/2019 3/img_3.jpg')).toEqual(['courier', 'desktop', 'laptop']);
    expect(holders(machine.root, `apart/of ${other.name} 2.txt`)).toEqual([other.name]);
    expect(holders(machine.root, `apart/of ${machine.name} 2.txt`)).toEqual([machine.name]);
    const under = bk(['-C', machine.root, 'copies', '--min', '3'])['under'] as {
      path: string;
      copies: number;
    }[];
    const few = under.filter(({ path: at }) => !/^(?:apart|bin|top\.bin)/.test(at));
    expect(few).toEqual([]);
    expect(under.every(({ copies }) => copies === 1)).toBe(true);
    expect(run(['-C', machine.root, 'drop', 'photos', '--copies', '1']).code).toBe(3);
  }
}

function holders(root: string, file: string): string[] {
  const [found] = bk(['-C', root, 'where', file])['files'] as { copies: { name: string }[] }[];
  return (found?.copies ?? []).map(({ name }) => name).sort();
}

function remotes(root: string): [string, string][] {
  const known = bk(['-C', root, 'remote', 'list'])['remotes'] as { name: string; address: string }[];
  return known.map(({ name, address }) => [name, address]);
}

function head(root: string): string {
  return fs.readFileSync(path.join(root, '.bk/history/refs/heads/main'), 'utf8').trim();
}

/** Everything that a folder and its net hold, by hash. */
function contents(root: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const entry of fs.readdirSync(root, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    const inside = path.relative(root, file);
    if (!entry.isFile() || (inside.startsWith('.bk') && !inside.startsWith('.bk/safety'))) continue;
    found.set(sha(fs.readFileSync(file)), inside);
  }
  return found;
}

function sha(bytes: Buffer): string {
  return crypto.hash('sha256', bytes);
}

import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Content, Peer } from '@bk/remote';
import { openRepository } from '@bk/repo';
import {
  activeLeases,
  grantLease,
  HistoryReader,
  Incoming,
  lock,
  missingObjects,
  packOf,
  releaseLease,
} from '@bk/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PROJECT } from '../support/bk.ts';
import { localSubject, Place, type Subject } from './subject.ts';

/** What only a peer with a real folder can show. */
let subject: Subject;

beforeEach(() => {
  subject = localSubject();
});
afterEach(() => subject.close());

async function missing(peer: Peer, content: Content): Promise<string | undefined> {
  for await (const sent of peer.readContents([content])) return 'missing' in sent ? sent.missing : undefined;
  return 'nothing';
}

/** What is in no file of the folder any more is nowhere then. */
function emptyNet(): void {
  const { safety } = subject.there.layout;
  for (const name of fs.readdirSync(safety)) fs.rmSync(path.join(safety, name), { recursive: true });
}

describe('a local peer', () => {
  test('says where its files are', () => {
    expect(subject.peer.localRoot).toBe(subject.there.root);
  });

  test('S04, S19, CVE-2026-53785: a folder that was swapped for a symlink leads nowhere', async () => {
    const content = await subject.put('a/b/file', Buffer.from('the same bytes'));
    const outside = path.join(subject.there.root, '..', 'outside');
    fs.mkdirSync(path.join(outside, 'b'), { recursive: true });
    fs.writeFileSync(path.join(outside, 'b/file'), 'the same bytes');
    expect(await missing(subject.peer, content)).toBeUndefined();
    emptyNet();
    fs.rmSync(path.join(subject.there.root, 'a'), { recursive: true });
    fs.symlinkSync(outside, path.join(subject.there.root, 'a'));
    expect(await missing(subject.peer, content)).toBe('not-found');
    expect((await subject.peer.hold([content], { forMs: 1000 })).contents[0]?.held).toBe(false);
    fs.rmSync(path.join(subject.there.root, 'a'));
    fs.mkdirSync(path.join(subject.there.root, 'a/b'), { recursive: true });
    fs.symlinkSync(path.join(outside, 'b/file'), path.join(subject.there.root, 'a/b/file'));
    expect(await missing(subject.peer, content)).toBe('not-found');
    expect((await subject.peer.hold([content], { forMs: 1000, rehash: true })).contents[0]?.held).toBe(false);
  });

  test('F12: a pipe in place of a file does not block', async () => {
    const content = await subject.put('a', Buffer.from('a'));
    emptyNet();
    fs.rmSync(path.join(subject.there.root, 'a'));
    spawnSync('mkfifo', [path.join(subject.there.root, 'a')]);
    expect(await missing(subject.peer, content)).toBe('not-found');
    expect((await subject.peer.hold([content], { forMs: 1000 })).contents[0]?.held).toBe(false);
  });

  test('L03: the safety net is no copy', async () => {
    const content = await subject.put('a', Buffer.from('a'));
    fs.rmSync(path.join(subject.there.root, 'a'));
    expect((await subject.peer.hold([content], { forMs: 1000 })).contents[0]?.held).toBe(false);
  });

  test('another place with the same content is as good', async () => {
    await subject.put('a', Buffer.from('twice'));
    const content = await subject.put('b/c', Buffer.from('twice'));
    fs.writeFileSync(path.join(subject.there.root, 'a'), 'TWICE');
    expect(await missing(subject.peer, content)).toBeUndefined();
    expect((await subject.peer.hold([content], { forMs: 1000 })).contents[0]?.held).toBe(true);
  });

  test('what did not change since it was hashed need not be read', async () => {
    const content = await subject.put('a', Buffer.from('a'));
    const seen = fs.lstatSync(path.join(subject.there.root, 'a')).ctimeMs;
    // The kernel's clock must have moved on: else the entry is racy, and is read.
    while (fs.statSync(tick(subject.there)).mtimeMs < seen + 50);
    await subject.put('z', Buffer.from('z'));
    const [held] = (await subject.peer.hold([content], { forMs: 1000 })).contents;
    expect(held).toEqual({ blake3: content.blake3, held: true, verified: 'stat' });
  });

  test('L04: while another writes there, nothing is promised', async () => {
    const content = await subject.put('a', Buffer.from('a'));
    const writing = lock(subject.there.layout.lock);
    await expect(subject.peer.hold([content], { forMs: 1000 })).rejects.toMatchObject({ code: 'locked' });
    writing.release();
    expect((await subject.peer.hold([content], { forMs: 1000 })).contents[0]?.held).toBe(true);
  });

  test('killed while history comes in: the next one who opens it finds nothing of it', async () => {
    const here = new Place('here');
    here.write('a', crypto.randomBytes(10));
    const head = await here.commit();
    const reader = new HistoryReader(here.layout.history);
    const file = path.join(here.root, '..', 'pack');
    fs.writeFileSync(file, Buffer.concat([...packOf(reader, missingObjects(reader, [head], []))]));
    reader.close();
    for (const at of ['while it comes', 'while it is linked']) {
      const done = spawnSync(
        process.execPath,
        ['--input-type=module', '-e', receiveAndDie(subject.there, { file, head, at })],
        {
          cwd: PROJECT,
          encoding: 'utf8',
        },
      );
      expect(done.signal, done.stderr).toBe('SIGKILL');
      expect(subject.there.staged()).toHaveLength(1);
      openRepository(subject.there.root).close();
      expect(subject.there.staged()).toEqual([]);
      expect(subject.there.git('fsck', '--strict', '--no-dangling')).toBe('');
    }
  });
});

/** A small program that receives a pack and is killed in the middle. */
function receiveAndDie(there: Place, { file, head, at }: { file: string; head: string; at: string }): string {
  const { history, staging } = there.layout;
  return `
    import fs from 'node:fs';
    import { HistoryReader, receivePack } from '@bk/store';
    const bytes = fs.readFileSync(${JSON.stringify(file)});
    const die = () => process.kill(process.pid, 'SIGKILL');
    const link = fs.linkSync;
    if (${JSON.stringify(at)} === 'while it is linked')
      fs.linkSync = (a, b) => (b.endsWith('.idx') ? die() : link(a, b));
    async function* chunks() { yield bytes.subarray(0, 50); if (fs.linkSync === link) die(); yield bytes.subarray(50); }
    const layout = { history: ${JSON.stringify(history)}, staging: ${JSON.stringify(staging)} };
    const reader = new HistoryReader(layout.history);
    await receivePack(chunks(), [{ name: 'refs/heads/main', id: ${JSON.stringify(head)} }], { layout, reader });
  `;
}

function tick(there: Place): string {
  const file = path.join(there.root, '..', 'tick');
  fs.writeFileSync(file, '');
  return file;
}

describe('leases', () => {
  const day = 86_400_000;
  const a = 'aa'.repeat(32) as Content['blake3'];
  const b = 'bb'.repeat(32) as Content['blake3'];

  test('the later deadline counts; a clock that goes back ends none; what ended is forgotten', () => {
    const { layout } = subject.there;
    expect([...activeLeases(layout, 0)]).toEqual([]);
    grantLease(layout, [a], { nowMs: day, forMs: 1000, most: 9 });
    grantLease(layout, [a, b], { nowMs: day, forMs: 5000, most: 9 });
    expect([...activeLeases(layout, day)]).toEqual([
      [a, day + 5000],
      [b, day + 5000],
    ]);
    expect(activeLeases(layout, 0).size).toBe(2);
    expect(activeLeases(layout, day + 5000).size).toBe(0);
    const third = grantLease(layout, [b], { nowMs: day + 9000, forMs: 1, most: 1 });
    expect(fs.readFileSync(path.join(layout.dot, 'leases.json'), 'utf8')).not.toContain(a);
    expect(() => grantLease(layout, [a], { nowMs: day + 9000, forMs: 1, most: 1 })).toThrow(
      /promises are open/,
    );
    releaseLease(layout, third, day + 9000);
    expect(activeLeases(layout, day + 9000).size).toBe(0);
    expect(fs.statSync(path.join(layout.dot, 'leases.json')).mode & 0o777).toBe(0o600);
  });

  test.each([
    '',
    '{',
    '{"v":2,"leases":{}}',
    '{"v":1,"leases":{"x":{}}}',
    '{"v":1,"leases":{"x":{"grantedMs":1,"untilMs":2,"contents":["x"]}}}',
  ])('K11: %j tells nothing, so nothing may be let go', (text) => {
    fs.writeFileSync(path.join(subject.there.layout.dot, 'leases.json'), text);
    expect(() => activeLeases(subject.there.layout, 0)).toThrow(expect.objectContaining({ code: 'damaged' }));
  });
});

describe('incoming', () => {
  test('is listed when whole, and its folder goes with its last content', async () => {
    const incoming = new Incoming(subject.there.layout);
    const content = { blake3: 'ab'.repeat(32) as Content['blake3'], size: 3 };
    const file = incoming.open(content.blake3, content.size);
    file.append(Buffer.from('abc'));
    file.finish();
    file.close(false);
    expect(incoming.list()).toEqual([]);
    incoming.settle();
    expect(incoming.list()).toEqual([content.blake3]);
    expect(fs.readFileSync(incoming.fileOf(content.blake3)!, 'utf8')).toBe('abc');
    incoming.remove(content.blake3);
    expect(fs.existsSync(incoming.folder)).toBe(false);
    expect(incoming.list()).toEqual([]);
  });

  test('F12, S22: a symlink under its name is not written through', () => {
    const incoming = new Incoming(subject.there.layout);
    fs.mkdirSync(incoming.folder);
    const target = path.join(subject.there.root, 'victim');
    fs.writeFileSync(target, 'victim');
    const blake3 = 'cd'.repeat(32) as Content['blake3'];
    fs.symlinkSync(target, path.join(incoming.folder, `${blake3}.part`));
    expect(() => incoming.open(blake3, 3)).toThrow(/ELOOP/);
    expect(fs.readFileSync(target, 'utf8')).toBe('victim');
  });
});

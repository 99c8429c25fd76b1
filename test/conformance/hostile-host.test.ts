import crypto from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { BkError } from '@bk/core';
import { gitHostPeer, type Peer } from '@bk/remote';
import { receivePack } from '@bk/store';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packOf } from './forge.ts';
import {
  type Answer,
  type Answers,
  FLUSH,
  type HostileHost,
  ID,
  lines,
  offered,
  PATIENCE_MS,
  report,
  typeOf,
  V2,
} from './hostile-answers.ts';
import { HOSTILE_EXCHANGES } from './hostile-exchanges.ts';
import { git, here, leftovers, MAIN, reader } from './hostile-history.ts';
import { HOSTILE_HOSTS } from './hostile-hosts.ts';
import { flow } from './streams.ts';

describe('what a git host answers', () => {
  let server: http.Server;
  let peer: Peer;
  let answers: Answers;
  let asksForRefs = true;

  beforeEach(async () => {
    server = http.createServer((asked, to) => {
      asked.resume();
      asked.on('end', () => reply(asked, to));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open(PATIENCE_MS);
  });
  afterEach(async () => {
    await peer.close();
    server.closeAllConnections();
    server.close();
  });

  function addressOf(): string {
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
  }

  function open(patienceMs: number, url = addressOf()): void {
    peer = gitHostPeer({
      url,
      credentials: { fill: async () => undefined, settle: async () => {} },
      isAncestor: () => true,
      patienceMs,
    });
  }

  function reply(asked: http.IncomingMessage, to: http.ServerResponse): void {
    const { url = '', method } = asked;
    const isPush = /receive-pack/.test(url);
    let answer: Answer;
    if (method === 'GET') answer = isPush ? offered() : (answers.discovery ?? V2);
    else if (isPush) answer = answers.push ?? report('unpack ok\n');
    else answer = (asksForRefs ? answers.refs : answers.fetch) ?? FLUSH;
    if (typeof answer === 'function') answer(asked, to);
    else to.writeHead(200, { 'Content-Type': typeOf(asked) }).end(Buffer.from(answer as string, 'latin1'));
  }

  async function attempt(does: HostileHost[2]): Promise<unknown> {
    const { tip = ID } = answers;
    asksForRefs = does !== 'fetch';
    if (does === 'refs') return peer.refs();
    if (does === 'send') return peer.sendPack(flow([packOf([])]), [{ name: MAIN, next: ID }]);
    const layout = { history: here.dir, staging: here.staging };
    return receivePack(peer.fetchPack([tip], [here.commit]), [{ name: 'refs/remotes/hub/main', id: tip }], {
      layout,
      reader,
    });
  }

  test.each([...HOSTILE_HOSTS, ...HOSTILE_EXCHANGES])(
    '%s: %s (%s) is told, and nothing of it stays',
    async (mirrors, _what, does, given, code, told) => {
      answers = given;
      // What is too much has the time to be it.
      if (mirrors === 'bomb') open(60_000);
      const before = leftovers();
      const error: unknown = await attempt(does).then(
        (said) => said,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(BkError);
      expect((error as BkError).message).toMatch(told);
      expect(error).toMatchObject({ code });
      expect((error as BkError).message).not.toMatch(/[\u0000-\u001f\u202a-\u202e]/);
      expect(leftovers()).toEqual(before);
      expect(git('fsck', '--strict', '--no-dangling')).toBe('');
    },
  );

  test('refs that bk does not use are read past, whatever their names', async () => {
    const odd = [
      'refs/heads/../../config',
      'HEAD',
      '.have',
      'refs/tags/x^{}',
      'refs/bk/repositories/../x',
      'refs/bk/other',
    ];
    asksForRefs = true;
    answers = {
      refs: lines(...odd.map((name) => `${ID} ${name}\n`), `${ID} ${MAIN} symref-target:refs/x\n`) + FLUSH,
    };
    expect(await peer.refs()).toEqual([{ name: MAIN, id: ID }]);
  });

  test('a connection that was kept and is none any more is made anew', async () => {
    answers = { refs: lines(`${ID} ${MAIN}\n`) + FLUSH };
    asksForRefs = true;
    const used = new WeakSet<object>();
    let broken = 0;
    server.prependListener('request', (asked: http.IncomingMessage) => {
      if (!used.has(asked.socket)) used.add(asked.socket);
      else {
        broken++;
        asked.socket.destroy();
      }
    });
    for (let i = 0; i < 3; i++) expect(await peer.refs()).toEqual([{ name: MAIN, id: ID }]);
    expect(broken).toBeGreaterThan(1);
  });

  test('who never says hello is not waited for', async () => {
    const dumb = net.createServer(() => {}).listen(0, '127.0.0.1');
    await once(dumb, 'listening');
    const { port } = dumb.address() as AddressInfo;
    open(PATIENCE_MS, `https://127.0.0.1:${port}/x`);
    await expect(peer.refs()).rejects.toMatchObject({ code: 'unreachable' });
    await peer.close();
    dumb.close();
  });

  test('chunks may be cut anywhere', async () => {
    const id = `refs/bk/repositories/${crypto.randomUUID()}`;
    const body = lines(`${ID} ${MAIN}\n`, `${ID} ${id}\n`) + FLUSH;
    asksForRefs = true;
    answers = {
      refs: async (asked, to) => {
        to.writeHead(200, { 'Content-Type': typeOf(asked) });
        for (const byte of body) {
          to.write(byte);
          await new Promise(setImmediate);
        }
        to.end();
      },
    };
    expect((await peer.refs()).map(({ name }) => name)).toEqual([MAIN, id]);
  });
});

import { LIMITS } from '@bk/remote';
import { describe, expect, test } from 'vitest';
import { FRAME } from '../../packages/remote/wire/frame.ts';
import { turns } from '../support/hand-clock.ts';
import { ASKS, type Attacked, attackServer, GREETING, OPEN } from './raw-wire.ts';

function greeted({ raw }: Attacked): void {
  raw.send(GREETING);
}

describe('a client: arguments', () => {
  const shapes = [null, 1, 'x', [], {}, [1], [[1]], [['x', 'y']], [null], { wants: 1 }, { updates: [1] }];
  const methods = ['fetchPack', 'sendPack', 'readContents', 'arrived', 'hold', 'release'];
  const content = ['ab'.repeat(32), 3];
  const calls: readonly unknown[] = [
    ...methods.flatMap((method) => shapes.map((args) => [method, args])),
    ...['__proto__', 'constructor', 'toString', 'localRoot', 'close', ''].map((method) => [method, null]),
    [],
    {},
    'facts',
    ['facts'],
    OPEN,
    ['clone', { path: '/x', options: {} }],
    ['fetchPack', { wants: ['../../x'], haves: [] }],
    ['fetchPack', { wants: new Array(LIMITS.wants + 1).fill('1'.repeat(40)), haves: [] }],
    ['sendPack', { pack: false, updates: [{ name: 'refs/heads/../x', next: '1'.repeat(40) }] }],
    ['readContents', [['../../etc/passwd', 1]]],
    ['readContents', [['AB'.repeat(32), 1]]],
    ['readContents', [[content[0], -1]]],
    ['readContents', [[content[0], 2 ** 53]]],
    ['readContents', [[content[0], 3, 4, content[0]]]],
    ['readContents', new Array(LIMITS.contents + 1).fill(content)],
    ['hold', { contents: [content], forMs: 1e308 }],
    ['hold', { contents: [content], forMs: -1 }],
    ['release', '../../x'],
  ];

  test('that are none are refused, and nothing else happens', async () => {
    const to = attackServer();
    greeted(to);
    to.raw.sendCall(1, OPEN);
    await turns();
    const harmless = [
      ['readContents', []],
      ['arrived', []],
    ].map((one) => JSON.stringify(one));
    let id = 1;
    for (const asked of calls) {
      if (harmless.includes(JSON.stringify(asked))) continue;
      const before = to.raw.of(FRAME.error).length;
      to.raw.sendCall(++id, asked);
      await turns(3);
      const errors = to.raw.of(FRAME.error);
      const fault: unknown = JSON.parse(Buffer.from(errors.at(-1)?.payload ?? '{}').toString());
      expect([JSON.stringify(asked).slice(0, 100), errors.length - before, fault]).toEqual([
        JSON.stringify(asked).slice(0, 100),
        1,
        expect.objectContaining({ code: 'refused' }),
      ]);
    }
    to.raw.sendCall(++id, ['facts', null]);
    await turns();
    expect(to.raw.of(FRAME.answer).at(-1)?.call).toBe(id);
    expect(calls.length).toBeGreaterThan(80);
  });

  const wishes: readonly unknown[] = [
    { path: '', asks: ASKS },
    { path: 'a\0b', asks: ASKS },
    { path: 'x'.repeat(5_000), asks: ASKS },
    { path: '\ud800', asks: ASKS },
    { path: 7, asks: ASKS },
    { asks: ASKS },
    { path: '/x' },
    { path: '/x', asks: { id: '../../x' } },
    { path: '/x', asks: { ...ASKS, name: 'a\nb' } },
    { path: '/x', asks: { ...ASKS, name: '\u001b[2J' } },
    { path: '/x', asks: { ...ASKS, name: 'x'.repeat(2_000) } },
    null,
    [],
  ];

  test.each(wishes.map((wish) => [JSON.stringify(wish).slice(0, 60), wish]))(
    'the wish %s is refused',
    async (_text, wish) => {
      const to = attackServer();
      greeted(to);
      to.raw.sendJson(FRAME.call, 1, ['open', wish]);
      to.raw.sendJson(FRAME.call, 2, ['facts', null]);
      await turns();
      expect(to.raw.of(FRAME.error).map((one) => one.call)).toEqual([1, 2]);
      expect(to.raw.of(FRAME.answer)).toEqual([]);
    },
  );

  test('nothing is answered before a repository was asked for', async () => {
    const to = attackServer();
    greeted(to);
    const methods = [
      'facts',
      'refs',
      'fetchPack',
      'sendPack',
      'readContents',
      'arrived',
      'sendContents',
      'hold',
      'release',
    ];
    methods.forEach((method, i) => {
      to.raw.sendCall(i + 1, [method, OPEN[1]]);
    });
    await turns();
    expect(to.raw.of(FRAME.error)).toHaveLength(methods.length);
    expect(to.closed()).toBe(false);
  });
});

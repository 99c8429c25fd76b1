import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HOSTILE_ADDRESSES } from './address.fixture.ts';
import { parseAddress } from './address.ts';

describe('parseAddress', () => {
  test.each([
    ['/mnt/disk2', { kind: 'local', path: '/mnt/disk2' }],
    ['../b', { kind: 'local', path: '../b' }],
    ['.', { kind: 'local', path: '.' }],
    ['photos', { kind: 'local', path: 'photos' }],
    ['~/photos', { kind: 'local', path: '~/photos' }],
    ['./a:b', { kind: 'local', path: './a:b' }],
    ['/x/a:b', { kind: 'local', path: '/x/a:b' }],
    ['a b; $(c)', { kind: 'local', path: 'a b; $(c)' }],
    ['[x]', { kind: 'local', path: '[x]' }],
    ['Fotos ä', { kind: 'local', path: 'Fotos ä' }],
    ['ssh://nas/photos', { kind: 'ssh', host: 'nas', path: '/photos' }],
    [
      'ssh://ann@nas.home:2222/my%20photos/a',
      { kind: 'ssh', user: 'ann', host: 'nas.home', port: 2222, path: '/my photos/a' },
    ],
    ['ssh://[fe80::1%eth0]:22/x', { kind: 'ssh', host: 'fe80::1%eth0', port: 22, path: '/x' }],
    ['ssh://1.2.3.4/~/x', { kind: 'ssh', host: '1.2.3.4', path: '/~/x' }],
    ['SSH://nas/x', { kind: 'ssh', host: 'nas', path: '/x' }],
    ['nas:photos', { kind: 'ssh', host: 'nas', path: 'photos' }],
    ['ann@nas:/photos; rm -rf ~', { kind: 'ssh', user: 'ann', host: 'nas', path: '/photos; rm -rf ~' }],
    ['[::1]:x', { kind: 'ssh', host: '::1', path: 'x' }],
    [
      'https://git.example.org/ann/collection.git',
      { kind: 'git', url: 'https://git.example.org/ann/collection.git' },
    ],
    [
      'https://ann@git.example.org:8443/c.git',
      { kind: 'git', url: 'https://ann@git.example.org:8443/c.git' },
    ],
    ['http://127.0.0.1:8080/c.git', { kind: 'git', url: 'http://127.0.0.1:8080/c.git' }],
    ['http://[::1]/c.git', { kind: 'git', url: 'http://[::1]/c.git' }],
  ])('%s', (text, address) => {
    expect(parseAddress(text)).toEqual({ ...address, text });
  });

  test.each(HOSTILE_ADDRESSES)('%s: %j is refused', (_mirrors, text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('a password is not repeated', () => {
    expect(() => parseAddress('https://user:secret@host/x')).toThrow(/password/);
    expect(() => parseAddress('https://user:secret@host/x')).not.toThrow(/secret/);
  });

  test('whatever is written: refused, or parts that no program takes for something else', () => {
    const unit = fc.constantFrom(...'abZ09-._~:/@[]%\\ \n\0$;`(?#äß', 'ssh://', 'https://', '::', 'file:');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 24 }), (text) => {
        let address: ReturnType<typeof parseAddress>;
        try {
          address = parseAddress(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'usage' });
          return;
        }
        expect(text).not.toMatch(/^-|\n|\0/);
        if (address.kind === 'ssh') {
          expect(address.host).toMatch(/^[A-Za-z0-9_:][A-Za-z0-9_.:%-]*$/);
          expect(address.user ?? 'x').toMatch(/^[A-Za-z0-9_]/);
          expect(address.path).not.toMatch(/[\n\0]/);
        } else if (address.kind === 'git') {
          expect(['https:', 'http:']).toContain(new URL(address.url).protocol);
          expect(new URL(address.url).password).toBe('');
        } else expect(address.path).toBe(text);
      }),
      { numRuns: 20_000 },
    );
  });
});

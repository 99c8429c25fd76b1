import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
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

  test.each([
    ['S09, CVE-2017-1000117', 'ssh://-oProxyCommand=x/y'],
    ['S09, CVE-2017-12976', '-oProxyCommand=x:y'],
    ['S09', 'ssh://-l@host/x'],
    ['S09', 'ssh://a@-p/x'],
    ['S09', 'ssh://host:-p/x'],
    ['S09', 'ssh://host\n/x'],
    ['S09', 'host\nProxyCommand=x:y'],
    ['S09', 'ssh://host:0/x'],
    ['S09', 'ssh://host:65536/x'],
    ['S09', 'ssh://host:22:33/x'],
    ['S09', 'ssh://ho st/x'],
    ['S09', 'ssh://$(x)/y'],
    ['S09', '`x`:y'],
    ['S09', 'ssh://a;b/y'],
    ['S09', 'ssh://[::1/y'],
    ['S09', 'ssh://[-oX]/y'],
    ['S09', 'ssh:///x'],
    ['S09', 'ssh://host'],
    ['S09', 'host:'],
    ['S09', ':x'],
    ['S09', '@host:x'],
    ['S09', 'a@b@c:x'],
    ['S09', '--upload-pack=x'],
    ['S10', 'host:a\rb'],
    ['S10', 'ssh://host/%0a'],
    ['S10', 'ssh://host/%00'],
    ['S10', 'ssh://host/%zz'],
    ['S10', 'ssh://host/%ff'],
    ['S11, CVE-2022-24066', 'ext::sh -c x'],
    ['S11', 'fd::17'],
    ['S11', 'file:///x'],
    ['S11', 'git://host/x'],
    ['S11', 'http://host/x'],
    ['S11', 'http://127.0.0.1.host/x'],
    ['S11', 'http://localhost@host/x'],
    ['S11', 'git+ssh://host/x'],
    ['S11', 'javascript://host/x'],
    ['S11', 'https://host'],
    ['S11', 'https://host/'],
    ['S11', 'https://user:secret@host/x'],
    ['S11', 'https://host/x?y'],
    ['S11', 'https://host/x#y'],
    ['S11', 'https://host\\@evil/x'],
    ['S11', 'https://host/%0d%0aX: y'],
    ['S12', 'a\u001b[31m'],
    ['S12', 'a\u202eb'],
    ['S01', '\0'],
    ['S01', ''],
    ['F06', `/${'x'.repeat(5000)}`],
    ['S01', 'C:\\photos'],
  ])('%s: %j is refused', (_mirrors, text) => {
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

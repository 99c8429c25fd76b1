import { expect, test } from 'vitest';
import { objectId } from '../ids.ts';
import { deriveObjectId } from './derive-id.ts';

test('is UUIDv5', () => {
  // RFC 9562, appendix A.4: the namespace of DNS names.
  const dns = objectId('6ba7b810-9dad-11d1-80b4-00c04fd430c8');
  expect(deriveObjectId(dns, 'www.example.com')).toBe('2ed6657d-e927-568b-95e1-2665a8aea6a2');
});

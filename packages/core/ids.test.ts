import { expect, test } from 'vitest';
import { contentHash, gitId, objectId } from './ids.ts';

test.each([contentHash, objectId, gitId])(
  '%o: what is none is told in short, and cannot steer a terminal',
  (id) => {
    expect(() => id('1\u007f\u001b[2J\u202e1\nü')).toThrow(/: 1\?\?\[2J\?1\?\?$/);
    expect(() => id('x'.repeat(10_000))).toThrow(/: x{80}…$/);
  },
);

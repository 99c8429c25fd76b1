import os from 'node:os';
import { defineConfig } from 'vitest/config';

/** Two projects: `unit` is what `npm run check` runs (packages, borders); `whole` runs bk itself on real folders. */
export default defineConfig({
  test: {
    // The sweeps run one bk after the other and mount between: one file more than there are cores keeps all of them busy.
    maxWorkers: Math.min(4, os.availableParallelism() + 1),
    projects: [
      {
        test: {
          name: 'unit',
          include: ['packages/**/*.test.ts', 'test/architecture.test.ts'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'whole',
          include: ['test/{e2e,crash,conformance}/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});

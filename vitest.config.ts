import os from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** What takes long begins first, or one sweep would run alone at the end: the kills, then whole programs, then units. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = ['/test/crash/', '/test/e2e/', '/test/conformance/'].findIndex((part) =>
        moduleId.includes(part),
      );
      return found < 0 ? 3 : found;
    };
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

/** Two projects: `unit` is what `npm run check` runs (packages, borders); `whole` runs bk itself on real folders. */
export default defineConfig({
  test: {
    // The sweeps run one bk after the other and mount between: one file more than there are cores keeps all of them busy.
    maxWorkers: Math.min(4, os.availableParallelism() + 1),
    sequence: { sequencer: LongestFirst },
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

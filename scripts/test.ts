/**
 * `npm test`: every test of both vitest projects, then the skipped ones with their reasons and one closing line.
 * Arguments are passed on as filters on file names. Exit code 1 if a test failed or none ran.
 */
import path from 'node:path';
import type { TestCase, TestModule, Vitest } from 'vitest/node';
import { startVitest } from 'vitest/node';

interface Tally {
  passed: number;
  failed: number;
  /** Names of skipped tests by reason. */
  readonly skipped: Map<string, string[]>;
}

const ROOT = path.resolve(import.meta.dirname, '..');
const NO_REASON = 'no reason noted; see the name';

function count(modules: readonly TestModule[], unhandled: readonly unknown[]): Tally {
  const tally: Tally = { passed: 0, failed: unhandled.length, skipped: new Map() };
  for (const module of modules) {
    let failed = 0;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') tally.passed++;
      else if (state === 'skipped') skip(tally, test);
      else failed++; // failed, or never finished because its process died
    }
    // A file that could not be loaded, or whose hooks failed, has no failed test, yet it failed.
    tally.failed += module.ok() ? failed : Math.max(1, failed);
  }
  return tally;
}

function skip(tally: Tally, test: TestCase): void {
  const result = test.result();
  const reason = (result.state === 'skipped' ? result.note : undefined) ?? NO_REASON;
  const names = tally.skipped.get(reason) ?? [];
  names.push(`${path.relative(ROOT, test.module.moduleId)}: ${test.fullName}`);
  tally.skipped.set(reason, names);
}

function closing({ passed, failed, skipped }: Tally): string {
  let count = 0;
  const lines: string[] = [];
  for (const [reason, names] of [...skipped].sort(([a], [b]) => (a < b ? -1 : 1))) {
    count += names.length;
    lines.push(`  ${reason} (${names.length})`, ...names.map((name) => `    ${name}`));
  }
  if (count > 0) lines.unshift('', `Skipped tests: ${count}`);
  return [...lines, '', `${passed} passed, ${failed} failed, ${count} skipped`].join('\n');
}

async function main(): Promise<number> {
  let tally: Tally = { passed: 0, failed: 0, skipped: new Map() };
  const counter = {
    onTestRunEnd: (modules: readonly TestModule[], unhandled: readonly unknown[]): void => {
      tally = count(modules, unhandled);
    },
  };
  let vitest: Vitest | undefined;
  try {
    vitest = await startVitest('test', process.argv.slice(2), {
      root: ROOT,
      watch: false,
      reporters: ['default', counter],
    });
  } finally {
    await vitest?.close();
  }
  process.stdout.write(`${closing(tally)}\n`);
  return tally.failed === 0 && tally.passed > 0 ? 0 : 1;
}

process.exitCode = await main();

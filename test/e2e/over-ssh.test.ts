import process from 'node:process';

/**
 * What these suites ask of remotes that are folders, they ask of remotes that are reached by ssh. All others can be run
 * so by hand: BK_OVER=ssh npx vitest run --project whole test/e2e/NAME.test.ts
 */
process.env['BK_OVER'] = 'ssh';
await import('./get-drop.test.ts');
await import('./verify-repair.test.ts');

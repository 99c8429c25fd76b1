/**
 * Builds dist/: bk.cjs (the launcher's target, see packages/cli/launch.cjs), main.cjs (everything of ours and the
 * libraries in pure JavaScript, one file) and worker.cjs (a thread of the pool). Native modules stay outside.
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, buildSync } from 'esbuild';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const dist = path.join(root, 'dist');
const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  version: string;
};

const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node22',
  external: ['@napi-rs/blake-hash', 'koffi'],
  alias: {
    'string-width': './scripts/string-width.cjs',
    assert: './scripts/assert.cjs',
    'better-sqlite3': './scripts/sqlite.cjs',
  },
  // Node reads less; names stay, so that a stack in a bug report can be understood.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  define: {
    'import.meta.url': 'importMetaUrl',
    BK_VERSION: JSON.stringify(version),
    // yargs asks for it when it is loaded; the stream that would answer takes 4 ms. Our help sets its own width.
    'process.stdout.columns': 'undefined',
  },
  banner: { js: "const importMetaUrl=require('node:url').pathToFileURL(__filename).href;" },
  logLevel: 'warning',
};

/** Built beside and renamed into place: a bk that is being started finds the old file or the new one. */
function put(name: string, text: string | Uint8Array): void {
  const temporary = path.join(dist, `${name}.${process.pid}.tmp`);
  fs.writeFileSync(temporary, text);
  fs.renameSync(temporary, path.join(dist, name));
}

function bundle(entry: string, name: string): void {
  if (!fs.existsSync(path.join(root, entry))) {
    console.error(`build: no ${entry} yet, ${name} left out`);
    return;
  }
  try {
    const { outputFiles } = buildSync({ ...common, entryPoints: [entry], outfile: name, write: false });
    for (const { text } of outputFiles ?? []) put(name, lean(text));
  } catch {
    process.exitCode = 1; // esbuild has said why.
  }
}

/** What a start of bk can often do without; loading it takes 1 to 8 ms each. */
const HEAVY = [
  'koffi',
  ...['child_process', 'crypto', 'net', 'timers/promises', 'worker_threads', 'zlib'].map(
    (name) => `node:${name}`,
  ),
];

/**
 * Takes 30 ms from every start. Heavy modules are loaded when one of their names is first asked for. And esbuild
 * copies every property of a builtin that is imported as a whole, which loads parts of Node that nobody asked for: an
 * object that inherits them serves as well.
 */
function lean(bundled: string): string {
  const names = new Map<string, Set<string>>();
  for (const [, variable = '', name = ''] of bundled.matchAll(/\b(import_\w+)\.(\w+)/g)) {
    names.set(variable, (names.get(variable) ?? new Set()).add(name));
  }
  const heavy = HEAVY.join('|').replaceAll('/', '\\/');
  const whole = String.raw`(?:__toESM\()?require\("(${heavy})"\)(?:(?:, ?1)?\))?`;
  const text = bundled
    .replace(
      new RegExp(`\\b(import_\\w+) ?= ?${whole}(?=[,;])`, 'g'),
      (_, variable: string, module: string) => {
        const asked = JSON.stringify([...(names.get(variable) ?? [])]);
        return `${variable}=lazyModule(()=>require("${module}"),${asked})`;
      },
    )
    .replace(/__toESM\((require\("node:[a-z_/]+"\))(?:, ?1)?\)/g, 'wholeModule($1)');
  return `${lazyModule}var wholeModule=m=>Object.create(m,{default:{value:m}});${text}`;
}

/** In the bundle: an object with the given names of a module, which is loaded with the first of them. */
const lazyModule =
  'function lazyModule(load,names){var lazy={};for(let name of names)Object.defineProperty(lazy,name,{configurable:true,' +
  'get(){var module=load(),value=name==="default"?module:module[name];Object.defineProperty(lazy,name,{value});' +
  'return value}});return lazy}';

fs.mkdirSync(dist, { recursive: true });
bundle('packages/cli/start.ts', 'main.cjs');
bundle('packages/repo/observe/worker.ts', 'worker.cjs');
const launch = fs.readFileSync(path.join(root, 'packages/cli/launch.cjs'), 'utf8');
put('bk.cjs', launch.replace('__BK_VERSION__', version));
// Code compiled from an older build is of no use to anybody.
fs.rmSync(path.join(dist, '.cache'), { recursive: true, force: true });
if (process.exitCode === undefined) warm();

/**
 * The first run leaves its compiled code for all later ones that have the same flags, so let it be the verb that has to be
 * quick, as a person starts it.
 */
function warm(): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'bk-build-'));
  const bk = (verb: string, env: NodeJS.ProcessEnv) =>
    spawnSync(path.join(root, 'bin/bk'), ['-C', folder, verb], { env, stdio: 'ignore' });
  try {
    fs.writeFileSync(path.join(folder, 'file'), '');
    const { NODE_COMPILE_CACHE: _, ...env } = process.env;
    for (const verb of ['init', 'commit']) bk(verb, { ...env, NODE_DISABLE_COMPILE_CACHE: '1' });
    bk('status', env);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** Which package may import which, and where each third-party library has its home (docs/architecture.md). */
const BORDERS: Readonly<
  Record<string, { readonly inside: readonly string[]; readonly libraries: readonly string[] }>
> = {
  core: { inside: [], libraries: ['@noble/hashes'] },
  store: { inside: ['core'], libraries: ['isomorphic-git', 'better-sqlite3'] },
  // @noble/hashes is the portable stand-in for the native hash.
  worktree: { inside: ['core'], libraries: ['@napi-rs/blake-hash', '@noble/hashes', 'ignore', 'koffi'] },
  remote: { inside: ['core'], libraries: [] },
  repo: { inside: ['core', 'store', 'worktree', 'remote'], libraries: [] },
  cli: { inside: ['repo', 'core'], libraries: ['yargs'] },
};

/** Modules that may change files. In the user's tree only treefs does; the others work on bk's own files. */
const WRITERS: readonly RegExp[] = [
  /^packages\/store\//, // .bk
  /^packages\/worktree\/treefs\.ts$/,
  /^packages\/worktree\/(stage|act|apply|put|copy|copy-staging)\.ts$/, // .bk/staging and .bk/safety
  /^packages\/worktree\/(capabilities|mtimes)\.ts$/, // try out in .bk/staging what the file system can do
  /^packages\/remote\/socket-pair\.ts$/, // a socket in a folder for temporary files, gone at once
  /^packages\/repo\/(init|clone\/target)\.ts$/, // makes .bk, and the folder that becomes a repository
];
const WRITES =
  /\bfs\.(?:promises\b|(?:writeFile|rename|unlink|rm|rmdir|mkdir|mkdtemp|link|symlink|copyFile|cp|chmod|lchmod|chown|lchown|utimes|lutimes|truncate|appendFile|createWriteStream)\w*)/;
const PRINTS = /\bconsole\.|\bprocess\.std(?:out|err)\b|\bwriteSync\((?:1|2),/;
const LONGEST_FILE = 500;
const LONGEST_FUNCTION = 80;

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const sources = sourcesBelow('packages').map((file) => ({
  file,
  text: fs.readFileSync(path.join(root, file), 'utf8'),
}));
const ours = sources.filter(({ file }) => !/\.(test|fixture)\.ts$/.test(file));
const imports = new Map(ours.map(({ file, text }) => [file, importsOf(text)]));

describe('architecture', () => {
  test('there is something to look at', () => {
    expect(Object.keys(BORDERS).filter((name) => !ours.some(({ file }) => packageOf(file) === name))).toEqual(
      [],
    );
    expect(
      importsOf(`import a from 'x';\nimport type {\n b } from "./y.ts";\nexport * from '@bk/core';`),
    ).toEqual(['x', './y.ts', '@bk/core']);
  });

  test('packages import only what the table allows', () => {
    const wrong = [...imports].flatMap(([file, names]) =>
      names.filter((name) => !isAllowed(file, name)).map((name) => `${file} imports ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test('no file imports itself by way of others', () => {
    expect(cycles(new Map([['a', ['b']], ['b', ['c']], ['c', ['a']]]))).toEqual(['a → b → c → a']); // biome-ignore format: short
    const graph = new Map(
      [...imports].map(([file, names]) => [file, names.flatMap((name) => resolved(file, name))]),
    );
    expect(cycles(graph)).toEqual([]);
  });

  test(`no file is longer than ${LONGEST_FILE} lines`, () => {
    const long = sources.map(({ file, text }) => ({ file, lines: text.split('\n').length - 1 }));
    expect(long.filter(({ lines }) => lines > LONGEST_FILE)).toEqual([]);
  });

  test(`no function is longer than ${LONGEST_FUNCTION} lines`, () => {
    const text = `${'const x = 1;\n'.repeat(3)}function f(\n  a: number,\n): void {\n${'  a;\n'.repeat(90)}}\n`;
    expect(longFunctions('f.ts', text)).toEqual(['f.ts:6: 92 lines']);
    expect(ours.flatMap(({ file, text }) => longFunctions(file, text))).toEqual([]);
  });

  test('no default exports, enums or namespaces', () => {
    const wrong = /^export default|^\s*(?:export )?(?:const )?enum \w|^\s*(?:export )?namespace \w/m;
    expect(sources.filter(({ text }) => wrong.test(withoutComments(text))).map(({ file }) => file)).toEqual(
      [],
    );
  });

  test('only the listed modules change files', () => {
    expect(breaking(WRITES, (file) => WRITERS.some((allowed) => allowed.test(file)))).toEqual([]);
  });

  test('only cli prints', () => {
    expect(breaking(PRINTS, (file) => packageOf(file) === 'cli')).toEqual([]);
  });

  // npm takes its `binding.gyp` for a wish to compile it, for which headers of Node would be downloaded. `npm install` may
  // write that back into the lock file.
  test('better-sqlite3 comes compiled, and is not compiled again', () => {
    const lock = JSON.parse(fs.readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
      packages: Readonly<Record<string, object>>;
    };
    expect(lock.packages['node_modules/better-sqlite3']).toMatchObject({ gypfile: false });
  });

  test('core knows neither Node nor clock nor chance', () => {
    const impure =
      /\bnode:|\bBuffer\b|\bprocess\.|\bDate\.now|new Date\(\)|\bMath\.random|\bcrypto\.|TextEncoder|TextDecoder/;
    expect(breaking(impure, (file) => packageOf(file) !== 'core')).toEqual([]);
  });
});

function sourcesBelow(folder: string): string[] {
  return fs
    .readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.includes('node_modules'))
    .map((name) => path.join(folder, name))
    .sort();
}

function importsOf(text: string): string[] {
  const pattern =
    /^(?:import|export)\b[^'";]*?\bfrom\s+['"]([^'"]+)['"]|^import\s+['"]([^'"]+)['"]|\b(?:import|require|load)\(\s*['"]([^'"]+)['"]/gm;
  return [...withoutComments(text).matchAll(pattern)].map((found) => found[1] ?? found[2] ?? found[3] ?? '');
}

function packageOf(file: string): string {
  return file.split('/')[1] ?? '';
}

function isAllowed(file: string, name: string): boolean {
  const own = packageOf(file);
  const border = BORDERS[own];
  if (name.startsWith('.')) return packageOf(path.join(path.dirname(file), name)) === own;
  if (name.startsWith('node:')) return own !== 'core';
  if (name.startsWith('@bk/')) return border?.inside.includes(name.slice('@bk/'.length)) ?? false;
  return border?.libraries.some((library) => name === library || name.startsWith(`${library}/`)) ?? false;
}

/** The files that an import names: none for libraries. */
function resolved(file: string, name: string): string[] {
  if (name.startsWith('.')) return [path.join(path.dirname(file), name)];
  return name.startsWith('@bk/') ? [`packages/${name.slice('@bk/'.length)}/index.ts`] : [];
}

/** Each cycle once, from the file where the search came into it. */
function cycles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    const at = trail.indexOf(file);
    if (at >= 0) found.push([...trail.slice(at), file].join(' → '));
    if (at >= 0 || done.has(file)) return;
    for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return found;
}

/** The formatter puts the brace that ends a function at the indentation of the line that opens it. */
function longFunctions(file: string, text: string): string[] {
  const lines = text.split('\n');
  const opens = /(?:\)|=>|\): [^=;]+) \{$/;
  const other = /^\s*(?:\} )?(?:if|else|for|while|switch|catch|do|try)\b/;
  return lines.flatMap((line, i) => {
    if (!opens.test(line) || other.test(line)) return [];
    const indent = line.slice(0, line.length - line.trimStart().length);
    const end = lines.findIndex((later, j) => j > i && later.startsWith(`${indent}}`));
    return end - i + 1 > LONGEST_FUNCTION ? [`${file}:${i + 1}: ${end - i + 1} lines`] : [];
  });
}

function breaking(pattern: RegExp, isExempt: (file: string) => boolean): string[] {
  return ours
    .filter(({ file, text }) => !isExempt(file) && pattern.test(withoutComments(text)))
    .map(({ file, text }) => `${file}: ${pattern.exec(withoutComments(text))?.[0]}`);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(^|[^:'"`])\/\/.*$/gm, '$1');
}

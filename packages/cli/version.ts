import fs from 'node:fs';

/** Put in by scripts/build.ts; not there when bk runs from its sources. */
declare const BK_VERSION: string | undefined;

export function version(): string {
  if (typeof BK_VERSION === 'string') return BK_VERSION;
  const file = new URL('../../package.json', import.meta.url);
  return (JSON.parse(fs.readFileSync(file, 'utf8')) as { version: string }).version;
}

import fs from 'node:fs';

/**
 * The arguments with every byte kept. Node turns bytes that are not UTF-8 into U+FFFD; where /proc shows the bytes,
 * each such byte becomes a lone surrogate U+DC80 to U+DCFF instead (as Python's `surrogateescape`), which
 * `bytesOfArgument` turns back. Elsewhere `--encoded` is the way to name such a file.
 */
export function argumentsOf(argv: readonly string[]): readonly string[] {
  if (!argv.some((argument) => argument.includes('\ufffd'))) return argv;
  const raw = rawArguments();
  if (raw === undefined || raw.length < argv.length) return argv;
  const last = raw.slice(raw.length - argv.length);
  return argv.map((argument, i) => {
    const bytes = last[i];
    if (bytes === undefined || !argument.includes('\ufffd') || bytes.toString('utf8') !== argument)
      return argument;
    return textOfBytes(bytes);
  });
}

/** An argument as a byte string (one char per byte). */
export function bytesOfArgument(argument: string): string {
  return argument
    .split(/([\udc80-\udcff]+)/)
    .map((part, i) => (i % 2 === 0 ? Buffer.from(part).toString('latin1') : bytesOfEscapes(part)))
    .join('');
}

function bytesOfEscapes(text: string): string {
  return text.replace(/[\udc80-\udcff]/g, (char) => String.fromCharCode(char.charCodeAt(0) - 0xdc00));
}

function rawArguments(): Buffer[] | undefined {
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync('/proc/self/cmdline');
  } catch {
    return undefined; // Not Linux: then U+FFFD is all there is.
  }
  const parts: Buffer[] = [];
  for (let start = 0, end = bytes.indexOf(0); end >= 0; start = end + 1, end = bytes.indexOf(0, start)) {
    parts.push(bytes.subarray(start, end));
  }
  return parts;
}

function textOfBytes(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((n) => isUtf8(bytes.subarray(at, at + n), n));
    text +=
      length === undefined
        ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0))
        : bytes.toString('utf8', at, at + length);
    at += length ?? 1;
  }
  return text;
}

function isUtf8(bytes: Buffer, length: number): boolean {
  return bytes.length === length && Buffer.from(bytes.toString('utf8')).equals(bytes);
}

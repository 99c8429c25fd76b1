const ASCII = /^[\x00-\x7f]*$/;

/** What Node's fs takes for a path given as bytes (one char each): the string itself if it is ASCII, else a Buffer. */
export function nodePath(bytes: string): string | Buffer {
  return ASCII.test(bytes) ? bytes : Buffer.from(bytes, 'latin1');
}

/** An ordinary path (text) as a byte string, so that names of any bytes can be joined to it. */
export function bytePath(path: string): string {
  return ASCII.test(path) ? path : Buffer.from(path, 'utf8').toString('latin1');
}

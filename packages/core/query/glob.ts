/** Whether a folded name fits a folded pattern: `*` is any characters, `?` is one. Case and accents were taken off both. */
export function matchesName(pattern: string, name: string): boolean {
  // Goes back to the last star only, so the time is at most the product of both lengths.
  let p = 0;
  let n = 0;
  let star = -1;
  let resume = 0;
  while (n < name.length) {
    if (pattern[p] === '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === name[n])) {
      n += pattern[p] === '?' ? widthAt(name, n) : 1;
      p++;
    } else if (star >= 0) {
      p = star + 1;
      n = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/**
 * Whether a folded path lies at or below what a folded pattern names, from the top: `*` and `?` stay within a name,
 * `**` is any number of folders.
 */
export function matchesPath(pattern: string, path: string): boolean {
  const names = path.split('/');
  let reached = new Set([0]);
  for (const segment of pattern.split('/')) {
    const next = new Set<number>();
    for (const at of reached) {
      if (segment === '**') for (let k = at; k <= names.length; k++) next.add(k);
      else if (at < names.length && matchesName(segment, names[at]!)) next.add(at + 1);
    }
    if (next.size === 0) return false;
    reached = next;
  }
  return true;
}

/** Whether a text has characters that mean something in a pattern. */
export function isPattern(text: string): boolean {
  return /[*?]/.test(text);
}

function widthAt(text: string, at: number): number {
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

/** The known word that was probably meant, if one is near enough to be worth a hint. */
export function closest(word: string, known: readonly string[]): string | undefined {
  if (word.length < 3) return undefined;
  const near = known
    .map((candidate) => ({ candidate, edits: distance(word.toLowerCase(), candidate) }))
    .filter(({ candidate, edits }) => edits <= Math.max(1, Math.floor(candidate.length / 3)))
    .sort((a, b) => a.edits - b.edits);
  return near[0]?.candidate;
}

/** Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment). */
export function distance(a: string, b: string): number {
  let older: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let edits = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, (older[j - 2] ?? 0) + 1);
      }
      row[j] = edits;
    }
    older = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

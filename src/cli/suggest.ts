/** The nearest of the words that would have been right. */

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

/** `; did you mean …?`, or nothing when no word is near. */
export function suggestion(word: string, known: readonly string[], prefix = ''): string {
  const near = known.map((candidate) => ({ candidate, far: distance(word, candidate) })).sort((a, b) => a.far - b.far)[0]
  return near !== undefined && near.far <= Math.max(2, Math.floor(word.length / 3)) ? `; did you mean ${prefix}${near.candidate}?` : ''
}

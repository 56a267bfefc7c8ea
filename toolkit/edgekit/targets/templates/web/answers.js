// What an output means: classes by name with their scores, or plain numbers.

/** Numbers to probabilities that sum to 1. */
export function softmax(values) {
  const highest = values.reduce((a, b) => Math.max(a, b), -Infinity)
  const powers = Array.from(values, value => Math.exp(value - highest))
  const sum = powers.reduce((a, b) => a + b, 0)
  return powers.map(power => power / sum)
}

const KINDS = {
  softmax,
  sigmoid: values => Array.from(values, value => 1 / (1 + Math.exp(-value))),
  none: values => Array.from(values, Number),
}

/**
 * What one sample's output says: `ranked`, the classes from the highest score down, or `values` as they are.
 * An output with more axes than that of the classes has no ranking of its own.
 */
export function answer({ data, shape }, meaning, labels) {
  const values = KINDS[meaning?.kind ?? 'none'](data)
  const classes = meaning?.top_k > 0 && shape.length <= 2 && values.length > 1
  if (!classes) return { values }
  const ranked = values
    .map((score, at) => ({ name: labels[at] ?? String(at), score, at }))
    .sort((a, b) => b.score - a.score || a.at - b.at)
  return { values, ranked: ranked.slice(0, meaning.top_k) }
}

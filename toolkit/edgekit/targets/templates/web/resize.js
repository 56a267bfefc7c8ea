// Pillow's BILINEAR: a triangle filter that widens as an image shrinks, in the same integers, so that an
// image becomes the same numbers here as where the model was validated.

const BITS = 22 // of a weight, after the point

/** For each place of a resized line: where its source begins, and the weights of that and what follows. */
function weights(before, after) {
  const scale = before / after
  const reach = Math.max(scale, 1)
  return Array.from({ length: after }, (_, place) => {
    const center = (place + 0.5) * scale
    const first = Math.max(0, Math.trunc(center - reach + 0.5))
    const end = Math.min(before, Math.trunc(center + reach + 0.5))
    const parts = []
    for (let at = first; at < end; at++) {
      parts.push(Math.max(0, 1 - Math.abs((at - center + 0.5) / reach)))
    }
    const sum = parts.reduce((a, b) => a + b, 0)
    return { first, parts: parts.map(part => Math.trunc((part / sum) * 2 ** BITS + 0.5)) }
  })
}

/** Resizes along one axis: `lines` runs of `before` places that lie `step` numbers apart. */
function along(pixels, before, after, lines, step) {
  if (before === after) return pixels
  const found = weights(before, after)
  const resized = new Uint8Array(lines * after * step)
  for (let line = 0; line < lines; line++) {
    for (let place = 0; place < after; place++) {
      const { first, parts } = found[place]
      for (let inner = 0; inner < step; inner++) {
        let sum = 2 ** (BITS - 1)
        for (let i = 0; i < parts.length; i++) {
          sum += pixels[(line * before + first + i) * step + inner] * parts[i]
        }
        resized[(line * after + place) * step + inner] = Math.min(255, sum >> BITS)
      }
    }
  }
  return resized
}

/** Resizes an image of 8-bit channels side by side: first its width, then its height. */
export function resize({ pixels, width, height, channels }, toWidth, toHeight) {
  const narrow = along(pixels, width, toWidth, height, channels)
  return {
    pixels: along(narrow, height, toHeight, 1, toWidth * channels),
    width: toWidth, height: toHeight, channels,
  }
}

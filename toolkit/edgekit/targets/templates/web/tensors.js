// Arrays as a bundle has them: element types, and real numbers to a file's integers and back.

export const ARRAYS = {
  float32: Float32Array, float64: Float64Array,
  int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array,
  int32: Int32Array, uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array,
  bool: Uint8Array,
}
const LIMITS = { int8: [-128, 127], uint8: [0, 255], int16: [-32768, 32767], uint16: [0, 65535] }

/** The array type of an element type; an error where JavaScript has none. */
export function arrayOf(dtype) {
  if (!ARRAYS[dtype]) throw new Error(`an element of type ${dtype} has no array in JavaScript`)
  return ARRAYS[dtype]
}

/** To the nearest whole number, ties to even: as XNNPACK and ONNX Runtime quantize. */
function nearest(value) {
  const rounded = Math.round(value)
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
}

/** What a file's input takes, of real numbers. */
export function toFile(data, end) {
  const Wanted = arrayOf(end.dtype)
  if (end.scale === null) {
    if (data.constructor === Wanted) return data
    return Wanted.BYTES_PER_ELEMENT === 8 && end.dtype.includes('int')
      ? Wanted.from(data, value => BigInt(value))
      : Wanted.from(data, Number)
  }
  const [low, high] = LIMITS[end.dtype] ?? [-(2 ** 31), 2 ** 31 - 1]
  const scale = Math.fround(end.scale)
  const integers = new Wanted(data.length)
  for (let i = 0; i < data.length; i++) {
    const scaled = nearest(Math.fround(Math.fround(data[i]) / scale)) + end.zero_point
    integers[i] = Math.min(high, Math.max(low, scaled))
  }
  return integers
}

/** The real numbers of a file's output. */
export function toReal(data, end) {
  if (end.scale === null) return data
  const scale = Math.fround(end.scale)
  return Float32Array.from(data, integer => Math.fround(integer - end.zero_point) * scale)
}

/** How many numbers a shape holds. */
export const count = shape => shape.reduce((product, n) => product * n, 1)

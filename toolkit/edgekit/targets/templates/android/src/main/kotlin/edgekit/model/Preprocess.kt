package edgekit.model

import kotlin.math.abs
import kotlin.math.max
import kotlin.math.min

/** How an image becomes an input: whole, resized as Pillow does it, (pixel - mean) / std of each channel. */
class ImageInput(
    val input: String,
    val height: Int,
    val width: Int,
    val colorOrder: String,
    val mean: FloatArray,
    val std: FloatArray,
)

private const val BITS = 22 // of a weight, after the point: Pillow's

/**
 * The numbers of an image for an input, as the model was validated.
 *
 * `argb` has the pixels of an upright, opaque image, rows from the top: what `Bitmap.getPixels` gives.
 */
fun preprocess(argb: IntArray, width: Int, height: Int, wanted: ImageInput): Numbers {
    val channels = wanted.mean.size
    val colored = IntArray(width * height * channels)
    for (i in 0 until width * height) {
        val rgb = intArrayOf(argb[i] shr 16 and 255, argb[i] shr 8 and 255, argb[i] and 255)
        if (channels == 1) { // gray as Pillow weighs it
            colored[i] = (rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 32768) shr 16
            continue
        }
        for (c in 0 until 3) colored[i * channels + c] = rgb[if (wanted.colorOrder == "BGR") 2 - c else c]
        if (channels == 4) colored[i * 4 + 3] = argb[i] ushr 24
    }
    val narrow = along(colored, width, wanted.width, height, channels)
    val pixels = along(narrow, height, wanted.height, 1, wanted.width * channels)
    val values = DoubleArray(pixels.size) { i ->
        ((pixels[i].toFloat() - wanted.mean[i % channels]) / wanted.std[i % channels]).toDouble()
    }
    return Numbers(intArrayOf(1, wanted.height, wanted.width, channels), values)
}

/** Pillow's BILINEAR along one axis, in its own integers: a triangle that widens as an image shrinks. */
private fun along(pixels: IntArray, before: Int, after: Int, lines: Int, step: Int): IntArray {
    if (before == after) return pixels
    val resized = IntArray(lines * after * step)
    val scale = before.toDouble() / after
    val reach = max(scale, 1.0)
    for (place in 0 until after) {
        val center = (place + 0.5) * scale
        val first = max(0, (center - reach + 0.5).toInt())
        val end = min(before, (center + reach + 0.5).toInt())
        val parts = DoubleArray(end - first) { max(0.0, 1.0 - abs((first + it - center + 0.5) / reach)) }
        val sum = parts.sum()
        val weights = IntArray(parts.size) { (parts[it] / sum * (1 shl BITS) + 0.5).toInt() }
        for (line in 0 until lines) {
            for (inner in 0 until step) {
                var total = 1 shl (BITS - 1)
                for (i in weights.indices) {
                    total += pixels[(line * before + first + i) * step + inner] * weights[i]
                }
                resized[(line * after + place) * step + inner] = min(255, total shr BITS)
            }
        }
    }
    return resized
}

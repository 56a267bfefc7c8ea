package edgekit.model

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Real numbers with their shape; the samples are along the first axis. */
class Numbers(val shape: IntArray, val values: DoubleArray) {
    init {
        require(count(shape) == values.size) { "${values.size} numbers do not fill ${shape.joinToString(" x ")}" }
    }

    /** So many samples from the first on; the last again where there are not enough. */
    fun rows(first: Int, size: Int): Numbers {
        val each = values.size / shape[0]
        val part = DoubleArray(size * each) { i ->
            val row = minOf(first + i / each, shape[0] - 1)
            values[row * each + i % each]
        }
        return Numbers(intArrayOf(size) + shape.drop(1), part)
    }
}

enum class Type(val bytes: Int) {
    FLOAT32(4), FLOAT64(8), INT8(1), UINT8(1), INT16(2), UINT16(2), INT32(4), UINT32(4), INT64(8), BOOL(1);

    val limits: Pair<Double, Double>
        get() = when (this) {
            INT8 -> -128.0 to 127.0
            UINT8 -> 0.0 to 255.0
            INT16 -> -32768.0 to 32767.0
            UINT16 -> 0.0 to 65535.0
            else -> Int.MIN_VALUE.toDouble() to Int.MAX_VALUE.toDouble()
        }
}

/** An input or an output; where `scale` is not 0 the file has integers: value = scale * (integer - zeroPoint). */
class End(val name: String, val type: Type, val shape: IntArray, val scale: Float, val zeroPoint: Int)

fun count(shape: IntArray): Int = shape.fold(1) { product, n -> product * n }

/** What the file takes of real numbers: rounded to the nearest, ties to even, as LiteRT quantizes. */
fun toFile(numbers: Numbers, end: End): ByteBuffer {
    val buffer = ByteBuffer.allocateDirect(numbers.values.size * end.type.bytes).order(ByteOrder.nativeOrder())
    val (low, high) = end.type.limits
    for (value in numbers.values) {
        if (end.scale == 0f) {
            put(buffer, end.type, value)
        } else {
            val scaled = Math.rint((value.toFloat() / end.scale).toDouble()) + end.zeroPoint
            put(buffer, end.type, scaled.coerceIn(low, high))
        }
    }
    buffer.rewind()
    return buffer
}

/** The real numbers of a file's output. */
fun toReal(buffer: ByteBuffer, end: End, shape: IntArray): Numbers {
    buffer.rewind()
    val values = DoubleArray(count(shape)) {
        val value = get(buffer, end.type)
        if (end.scale == 0f) value else ((value.toFloat() - end.zeroPoint) * end.scale).toDouble()
    }
    return Numbers(shape, values)
}

private fun put(buffer: ByteBuffer, type: Type, value: Double) {
    when (type) {
        Type.FLOAT32 -> buffer.putFloat(value.toFloat())
        Type.FLOAT64 -> buffer.putDouble(value)
        Type.INT8, Type.UINT8, Type.BOOL -> buffer.put(value.toInt().toByte())
        Type.INT16, Type.UINT16 -> buffer.putShort(value.toInt().toShort())
        Type.INT32 -> buffer.putInt(value.toInt())
        Type.UINT32 -> buffer.putInt(value.toLong().toInt())
        Type.INT64 -> buffer.putLong(value.toLong())
    }
}

/** The next number of a buffer. */
fun get(buffer: ByteBuffer, type: Type): Double = when (type) {
    Type.FLOAT32 -> buffer.getFloat().toDouble()
    Type.FLOAT64 -> buffer.getDouble()
    Type.INT8 -> buffer.get().toDouble()
    Type.UINT8, Type.BOOL -> (buffer.get().toInt() and 0xff).toDouble()
    Type.INT16 -> buffer.getShort().toDouble()
    Type.UINT16 -> (buffer.getShort().toInt() and 0xffff).toDouble()
    Type.INT32 -> buffer.getInt().toDouble()
    Type.UINT32 -> (buffer.getInt().toLong() and 0xffffffffL).toDouble()
    Type.INT64 -> buffer.getLong().toDouble()
}

package edgekit.model

import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.abs
import kotlin.math.exp

/** Runs one batch in the file's own types, in the order of the file's ends. */
fun interface Runtime {
    fun run(inputs: List<ByteBuffer>): List<ByteBuffer>
}

/** Where in golden.bin an array is, and how far an output's values may be from it. */
class Golden(val name: String, val type: Type, val shape: IntArray, val offset: Int, val tolerance: Double)

/** What an output means: `kind` is what makes probabilities of it, `topK` how many classes to show. */
class Meaning(val output: String, val kind: String, val topK: Int)

class Answer(val label: String, val score: Double) {
    override fun toString() = "$label: $score"
}

class Tested(val output: String, val identical: Int, val values: Int, val largest: Double, val tolerance: Double) {
    val passed get() = largest <= tolerance

    override fun toString() =
        "${if (passed) "pass" else "FAIL"}: $output: $identical of $values values identical, largest difference " +
            "$largest, $tolerance is allowed"
}

/** The model: real numbers or an image's pixels in, real numbers or labels out. */
class Model(private val runtime: Runtime, private val goldenBytes: () -> ByteArray) {
    /** Samples along the first axis, however many, in the order of `Bundle.INPUTS`; as `Bundle.OUTPUTS`. */
    fun run(samples: List<Numbers>): List<Numbers> {
        require(samples.size == Bundle.INPUTS.size) { "${Bundle.INPUTS.size} inputs are wanted" }
        val total = samples[0].shape[0]
        val size = Bundle.INPUTS[0].shape[0]
        val parts = (0 until total step size).map { first ->
            val given = samples.zip(Bundle.INPUTS) { sample, end -> toFile(sample.rows(first, size), end) }
            val kept = minOf(size, total - first)
            runtime.run(given).zip(Bundle.OUTPUTS) { buffer, end -> toReal(buffer, end, end.shape).rows(0, kept) }
        }
        return Bundle.OUTPUTS.indices.map { at ->
            val values = parts.map { it[at].values.asList() }.flatten().toDoubleArray()
            Numbers(intArrayOf(total) + Bundle.OUTPUTS[at].shape.drop(1), values)
        }
    }

    /** What the outputs say of an upright, opaque image; pixels as `Bitmap.getPixels` gives them. */
    fun classify(argb: IntArray, width: Int, height: Int): Map<String, List<Answer>> {
        val image = checkNotNull(Bundle.IMAGE) { "this model takes numbers, not an image: see run" }
        val outputs = run(listOf(preprocess(argb, width, height, image)))
        return outputs.zip(Bundle.OUTPUTS) { output, end -> end.name to answers(output, end.name) }.toMap()
    }

    /** Replays the golden samples, and compares with what the converting machine got. */
    fun selfTest(): List<Tested> {
        check(Bundle.GOLDEN_INPUTS.isNotEmpty()) { "the export has no golden samples" }
        val content = ByteBuffer.wrap(goldenBytes()).order(ByteOrder.LITTLE_ENDIAN)
        val samples = Bundle.INPUTS.map { end -> read(content, Bundle.GOLDEN_INPUTS.first { it.name == end.name }) }
        return run(samples).zip(Bundle.OUTPUTS) { got, end ->
            val golden = Bundle.GOLDEN_OUTPUTS.first { it.name == end.name }
            val wanted = read(content, golden)
            val differences = got.values.indices
                .filter { got.values[it] != wanted.values[it] && !(got.values[it].isNaN() && wanted.values[it].isNaN()) }
                .map { abs(got.values[it] - wanted.values[it]) }
            val largest = if (differences.any { it.isNaN() }) Double.POSITIVE_INFINITY else differences.maxOrNull() ?: 0.0
            Tested(end.name, wanted.values.size - differences.size, wanted.values.size, largest, golden.tolerance)
        }
    }

    private fun read(content: ByteBuffer, golden: Golden): Numbers {
        content.position(golden.offset)
        return Numbers(golden.shape, DoubleArray(count(golden.shape)) { get(content, golden.type) })
    }
}

/** The classes of one sample's output from the highest score down; or its values, by their places. */
fun answers(output: Numbers, name: String): List<Answer> {
    val meaning = Bundle.MEANINGS.firstOrNull { it.output == name }
    val values = when (meaning?.kind) {
        "sigmoid" -> output.values.map { 1 / (1 + exp(-it)) }
        "softmax" -> {
            val powers = output.values.map { exp(it - output.values.max()) }
            powers.map { it / powers.sum() }
        }
        else -> output.values.asList()
    }
    val ranked = meaning != null && meaning.topK > 0 && output.shape.size <= 2 && values.size > 1
    if (!ranked) return values.mapIndexed { at, value -> Answer(at.toString(), value) }
    return values.indices.sortedByDescending { values[it] }.take(meaning.topK)
        .map { Answer(Bundle.LABELS.getOrElse(it) { at -> at.toString() }, values[it]) }
}

package edgekit.model

import android.content.Context
import android.graphics.Bitmap
import android.graphics.ImageDecoder
import java.nio.ByteBuffer
import java.nio.ByteOrder
import org.tensorflow.lite.Interpreter

/** Opens the model of this module's assets, on the processor. */
fun openModel(context: Context, threads: Int = 1): Model {
    fun asset(name: String) = context.assets.open("model/$name").use { it.readBytes() }

    val content = asset(Bundle.FILE)
    val direct = ByteBuffer.allocateDirect(content.size).order(ByteOrder.nativeOrder()).put(content)
    direct.rewind()
    val interpreter = Interpreter(direct, Interpreter.Options().setNumThreads(threads))
    return Model(
        { inputs ->
            val outputs = Bundle.OUTPUTS.map {
                ByteBuffer.allocateDirect(count(it.shape) * it.type.bytes).order(ByteOrder.nativeOrder())
            }
            interpreter.runForMultipleInputsOutputs(
                inputs.toTypedArray<Any>(), outputs.withIndex().associate { it.index to it.value as Any },
            )
            outputs
        },
        { asset("golden.bin") },
    )
}

/** What the outputs say of a bitmap. */
fun Model.classify(bitmap: Bitmap): Map<String, List<Answer>> {
    val readable = if (bitmap.config == Bitmap.Config.ARGB_8888) bitmap else bitmap.copy(Bitmap.Config.ARGB_8888, false)
    val pixels = IntArray(readable.width * readable.height)
    readable.getPixels(pixels, 0, readable.width, 0, 0, readable.width, readable.height)
    return classify(pixels, readable.width, readable.height)
}

/** An image file turned upright by its EXIF, which BitmapFactory does not do (Android 9 and later). */
fun decodeUpright(source: ImageDecoder.Source): Bitmap =
    ImageDecoder.decodeBitmap(source) { decoder, _, _ -> decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE }

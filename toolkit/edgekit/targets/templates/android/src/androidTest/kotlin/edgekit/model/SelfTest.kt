package edgekit.model

import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

@RunWith(AndroidJUnit4::class)
class SelfTest {
    @Test
    fun goldenSamplesGiveWhatTheyGaveWhereTheModelWasConverted() {
        val context = InstrumentationRegistry.getInstrumentation().targetContext
        val tested = openModel(context).selfTest()
        assertTrue(tested.joinToString("\n"), tested.all { it.passed })
    }
}

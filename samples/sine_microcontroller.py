"""The sine on a microcontroller: a model of three small layers becomes C++ for TensorFlow Lite Micro.

    python samples/sine_microcontroller.py [output folder]

The "hello world" of TensorFlow Lite Micro: it shows each step, and nothing is needed but this file.
Takes a quarter of a minute.
"""

import os
import sys
from pathlib import Path

import numpy as np

import edgekit
from edgekit_runtimes import open_model
from edgekit_runtimes.engines.captured_output import quiet

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # else TensorFlow prints more than the sample does
with quiet():
    import keras
    from keras import layers


def measured(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Angles from 0 to 2 pi, and their sines as a poor sensor tells them."""
    random = np.random.default_rng(seed)
    angles = random.uniform(0, 2 * np.pi, (count, 1)).astype(np.float32)
    return angles, (np.sin(angles) + random.normal(0, 0.1, angles.shape)).astype(np.float32)


def rmse(expected: np.ndarray, got: np.ndarray) -> float:
    """The root of the mean squared error."""
    return float(np.sqrt(np.mean((expected - got) ** 2)))


def main(output: Path) -> None:
    """Trains, converts, writes the C++, and says what the microcontroller will answer."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((1,), name="angle"),
            layers.Dense(16, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, name="sine"),
        ],
        name="sine",
    )
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(*measured(1000, seed=0), epochs=60, batch_size=32, verbose=0)

    # A microcontroller computes in integers, and is given and gives integers too.
    report = edgekit.convert(
        model, measured(300, seed=1)[0], output, to=["tflite"], precision="int8", io="int8"
    )
    angles, sines = measured(500, seed=2)
    error = rmse(sines, model.predict(angles, verbose=0))
    (file,) = report.files
    with open_model(output / file.name) as deployed:  # real numbers here, whatever the file has
        print(
            f"{file.name}: RMSE {rmse(sines, deployed.run(angles)):.4f} (float {error:.4f}), {file.verdict}"
        )
        quarter = deployed.run(np.float32([[np.pi / 2]])).item()
    written = edgekit.export(output, "cortex-m", output / "cortex-m")
    print(f"C++ in cortex-m/: {'; '.join(written.facts)}")
    print(f"the microcontroller will say that the sine of a quarter turn is {quarter:.2f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "samples-out/sine_microcontroller"))

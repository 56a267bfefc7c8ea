"""Spoken words on a microcontroller: a DS-CNN tells yes, no, up and down, and becomes C++ for TensorFlow Lite Micro.

    python samples/keyword_spotting.py [output folder]

The words are synthesized here, as a voice's harmonics under moving formants, with hiss for the consonants, of many
speakers, speeds and amounts of noise: nothing is downloaded. Of each second the model sees 49 x 10 cepstral
coefficients, as in MLPerf Tiny's keyword spotting. Takes half a minute.
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

RATE, FRAME, HOP, MELS, COEFFICIENTS = 8000, 320, 160, 20, 10
WORDS = ["yes", "no", "up", "down", "noise"]
# A sound: how long (s), its first three formants (Hz), loudness of the voice, and of the hiss.
SOUNDS = {
    "j": (0.08, (280, 2200, 3000), 0.7, 0.0),
    "e": (0.16, (550, 1800, 2500), 1.0, 0.0),
    "s": (0.20, (400, 3000, 3700), 0.0, 0.5),
    "n": (0.12, (280, 1100, 2500), 0.5, 0.0),
    "o": (0.24, (480, 850, 2400), 1.0, 0.0),
    "a": (0.16, (750, 1250, 2500), 1.0, 0.0),
    "u": (0.12, (320, 800, 2300), 0.8, 0.0),
    "d": (0.03, (300, 1700, 2600), 0.3, 0.4),
    "p": (0.05, (400, 1000, 2400), 0.0, 0.4),
    "_": (0.06, (400, 1000, 2400), 0.0, 0.0),
}
SPELLED = {"yes": "jes", "no": "no", "up": "a_p", "down": "daun", "noise": "___"}


def spoken(word: str, random: np.random.Generator) -> np.ndarray:
    """A second of sound with the word somewhere in it, by a voice that nobody has."""
    sounds = [SOUNDS[letter] for letter in SPELLED[word]]
    speed, tract = random.uniform(0.8, 1.25), random.uniform(0.88, 1.14)
    ends = np.cumsum([speed * sound[0] for sound in sounds])
    start = random.uniform(0.05, 0.95 - ends[-1])
    now = np.arange(RATE) / RATE - start
    middles = ends - np.diff(ends, prepend=0) / 2
    formants = np.stack(
        [np.interp(now, middles, [sound[1][i] * tract for sound in sounds]) for i in range(3)]
    )
    inside = (now > 0) & (now < ends[-1])
    voice, hiss = (np.interp(now, middles, [s[i] for s in sounds]) * inside for i in (2, 3))
    pitch = random.uniform(90, 240) * (1 - 0.15 * now)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    harmonics = np.arange(1, 30)[:, None]
    heights = np.zeros((len(harmonics), RATE))
    for formant, width, loud in zip(formants, (80, 110, 160), (1.0, 0.6, 0.3), strict=True):
        heights += loud / (1 + ((harmonics * pitch - formant) / width) ** 2)
    heights[harmonics[:, 0] * pitch.max() > RATE / 2] = 0  # beyond what the rate can hold
    sound = voice * np.sum(heights * np.sin(harmonics * phase), axis=0)
    breath = np.diff(random.normal(0, 1, RATE + 1)) * hiss  # its highs louder than its lows
    return 0.5 * sound + breath + random.normal(0, random.uniform(0.01, 0.1), RATE)


def mel_filters() -> np.ndarray:
    """Triangles from 60 Hz to half the rate, as wide as the ear's bands."""
    top = 2595 * np.log10(1 + RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(90, top, MELS + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(512, 1 / RATE)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.clip(np.minimum(rising, falling), 0, None)


def cepstra(sound: np.ndarray) -> np.ndarray:
    """The 49 x 10 coefficients of a second."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, FRAME)[::HOP] * np.hanning(FRAME)
    power = np.abs(np.fft.rfft(frames, 512)) ** 2
    bands = np.log(power @ mel_filters().T + 1e-3)
    cosines = np.cos(np.pi / MELS * np.outer(np.arange(MELS) + 0.5, np.arange(COEFFICIENTS)))
    return (bands @ cosines / np.sqrt(MELS))[..., None].astype(np.float32)


def recordings(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """So many words in turn, as coefficients, and their numbers."""
    random = np.random.default_rng(seed)
    numbers = np.arange(count) % len(WORDS)
    return np.stack([cepstra(spoken(WORDS[n], random)) for n in numbers]), numbers


def ds_cnn() -> keras.Model:
    """A convolution and three separable ones: the shape of MLPerf Tiny's model, a quarter of its width."""
    x = inputs = layers.Input((49, COEFFICIENTS, 1), name="cepstra")
    x = layers.Conv2D(24, (10, 4), strides=2, padding="same", use_bias=False)(x)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    for _ in range(3):
        x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
        x = layers.Conv2D(24, 1, use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(len(WORDS), "softmax", name="word")(x), name="words")


def main(output: Path) -> None:
    """Synthesizes, trains, converts, writes the C++, and listens to a word that nobody has said before."""
    keras.utils.set_random_seed(0)
    model = ds_cnn()
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    model.fit(*recordings(900, seed=0), epochs=14, batch_size=32, verbose=0)

    report = edgekit.convert(
        model, recordings(700, seed=1), output, to=["tflite"], precision="int8", io="int8",
        labels=WORDS,
    )  # fmt: skip
    (file,) = report.files
    unheard, numbers = recordings(300, seed=2)
    expected = np.mean(model.predict(unheard, verbose=0).argmax(-1) == numbers)
    with open_model(output / file.name) as deployed:
        right = np.mean(deployed.run(unheard).argmax(-1) == numbers)
        print(f"{file.name}: accuracy {right:.1%} (float {expected:.1%}), {file.verdict}")
        heard = deployed.run(unheard[:1])[0]
    written = edgekit.export(output, "cortex-m", output / "cortex-m")
    print(f"C++ in cortex-m/: {'; '.join(written.facts)}")
    print(f"somebody says {WORDS[numbers[0]]!r}: {WORDS[heard.argmax()]} {heard.max():.0%}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "samples-out/keyword_spotting"))

"""Is a sentence kind or not: an embedding and an LSTM become int8 files.

    python samples/sentiment_lstm.py [output folder]

The sentences are made here from templates with a fixed seed, so nothing is downloaded. "not" turns
a word into its opposite, so counting words is not enough: the order has to be read. Takes a
quarter of a minute.
"""

import os
import sys
from itertools import product
from pathlib import Path

import numpy as np

import edgekit
from edgekit_runtimes import open_model
from edgekit_runtimes.engines.captured_output import quiet

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # else TensorFlow prints more than the sample does
with quiet():
    import keras
    from keras import layers

LENGTH = 8
KIND = ["great", "lovely", "brilliant", "touching", "funny", "superb"]
UNKIND = ["awful", "boring", "dreadful", "clumsy", "tedious", "poor"]
THINGS = ["film", "story", "cast", "music", "ending", "plot", "score", "script"]
TEMPLATES = ["the {} was {}", "i found the {} {}", "what a {} {}", "honestly the {} is really {}"]


def make_sentences() -> tuple[list[str], np.ndarray]:
    """All sentences that the templates give, in a fixed order, and 1 for each that is kind."""
    made = []
    for template, thing, word, negated in product(TEMPLATES, THINGS, KIND + UNKIND, (0, 1)):
        told = f"not {word}" if negated else word
        made.append((template.format(thing, told), int((word in KIND) != bool(negated))))
    np.random.default_rng(0).shuffle(made)
    return [sentence for sentence, _ in made], np.array([int(label) for _, label in made])


def encode(sentences: list[str], vocabulary: dict[str, int]) -> np.ndarray:
    """Word numbers, filled up in front with 0: what the LSTM reads last, it remembers best."""
    rows = [[vocabulary.get(word, 1) for word in s.split()][-LENGTH:] for s in sentences]
    return np.array([[0] * (LENGTH - len(row)) + row for row in rows], np.int32)


def main(output: Path) -> None:
    """Trains, converts, and asks the int8 file about sentences that nobody has labelled."""
    sentences, kind = make_sentences()
    words = sorted({word for sentence in sentences for word in sentence.split()})
    vocabulary = {word: number for number, word in enumerate(words, start=2)}  # 1: unknown
    tokens = encode(sentences, vocabulary)

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((LENGTH,), dtype="int32", name="tokens"),
            layers.Embedding(len(vocabulary) + 2, 16),
            layers.LSTM(24),
            layers.Dense(1, activation="sigmoid", name="kind"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.02), "binary_crossentropy")
    model.fit(tokens[:300], kind[:300], epochs=12, batch_size=16, verbose=0)
    # 100 sentences calibrate instead of 200: the more judge, the smaller a loss can be proven.
    held_out = {"tokens": tokens[300:], "y": kind[300:]}
    report = edgekit.convert(model, held_out, output, precision=["float32", "int8"], samples=100)
    for file in report.files:
        if file.precision == "int8":
            score = file.worst_result
            print(
                f"{file.name}: accuracy {score.accuracy:.1%} "
                f"(float {score.original_accuracy:.1%}), {file.verdict}"
            )

    asked = ["honestly the ending is not dreadful", "i found the music not touching"]
    with open_model(output / "model_int8.tflite") as reader:
        for sentence, share in zip(asked, reader.run(encode(asked, vocabulary)), strict=True):
            print(f"{sentence!r}: {share.item():.0%} kind")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "samples-out/sentiment_lstm"))

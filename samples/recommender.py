"""What would this user like: a model of two integer inputs becomes int8 files.

    python samples/recommender.py [output folder]

The ratings are made here: each user and each item has four hidden traits, and a rating is how well
they match, with some noise. Takes a quarter of a minute.
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

USERS, ITEMS, TRAITS = 120, 80, 4


def true_ratings() -> np.ndarray:
    """What each user thinks of each item, 0..1."""
    random = np.random.default_rng(0)
    users, items = random.normal(size=(USERS, TRAITS)), random.normal(size=(ITEMS, TRAITS))
    return (1 / (1 + np.exp(-users @ items.T))).astype(np.float32)


def build() -> keras.Model:
    """Embeddings of user and item, their product, and a few weights on top."""
    user = layers.Input((1,), dtype="int32", name="user")
    item = layers.Input((1,), dtype="int32", name="item")
    of_user = layers.Flatten()(layers.Embedding(USERS, 16)(user))
    of_item = layers.Flatten()(layers.Embedding(ITEMS, 16)(item))
    match = layers.Multiply()([of_user, of_item])
    hidden = layers.Dense(16, activation="relu")(layers.Concatenate()([match, of_user, of_item]))
    rating = layers.Dense(1, activation="sigmoid", name="rating")(hidden)
    return keras.Model([user, item], rating)


def rmse(expected: np.ndarray, got: np.ndarray) -> float:
    """The root of the mean squared error."""
    return float(np.sqrt(np.mean((expected - got.reshape(-1)) ** 2)))


def main(output: Path) -> None:
    """Trains on half of all ratings, converts, and recommends with the int8 file."""
    truth = true_ratings()
    random = np.random.default_rng(1)
    user, item = (column.reshape(-1, 1).astype(np.int32) for column in np.indices(truth.shape))
    told = (truth + random.normal(0, 0.05, truth.shape)).clip(0, 1).reshape(-1)
    order = random.permutation(len(told))
    seen, unseen = order[: len(told) // 2], order[len(told) // 2 :]

    keras.utils.set_random_seed(0)
    model = build()
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(
        {"user": user[seen], "item": item[seen]}, told[seen], epochs=15, batch_size=64, verbose=0
    )

    inputs = {"user": user[seen], "item": item[seen]}
    report = edgekit.convert(model, inputs, output, precision=["float32", "int8"])
    asked = {"user": user[unseen], "item": item[unseen]}
    error = rmse(told[unseen], model.predict(asked, verbose=0))
    for file in report.files:
        if file.precision == "int8":
            with open_model(output / file.name) as recommender:
                deployed = rmse(told[unseen], next(iter(recommender.run(asked).values())))
            print(f"{file.name}: RMSE {deployed:.4f} (float {error:.4f}), {file.verdict}")

    every_item = np.arange(ITEMS, dtype=np.int32).reshape(-1, 1)
    with open_model(output / "model_int8.onnx") as recommender:
        answers = recommender.run({"user": np.full_like(every_item, 7), "item": every_item})
    (ratings,) = answers.values()
    for best in ratings[:, 0].argsort()[::-1][:3]:
        print(
            f"user 7, item {best}: {ratings[best, 0]:.2f} expected, {truth[7, best]:.2f} in truth"
        )


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "samples-out/recommender"))

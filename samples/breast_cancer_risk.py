"""A risk score from thirty measurements of cell nuclei: a small network becomes int8 files.

    python samples/breast_cancer_risk.py [output folder]

scikit-learn ships the data (569 patients, Wisconsin). The model standardises the measurements
itself, areas of thousands beside ratios of hundredths, so that a device passes them on as they come
from the laboratory. A sample, not a medical device. Takes a quarter of a minute.
"""

import os
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split

import edgekit
from edgekit_runtimes import open_model
from edgekit_runtimes.engines.captured_output import quiet

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # else TensorFlow prints more than the sample does
with quiet():
    import keras
    from keras import layers


def main(output: Path) -> None:
    """Trains, converts, and scores patients with the int8 file."""
    data = load_breast_cancer()
    malignant = (data.target == 0).astype(np.int32)
    x, x_test, y, y_test = train_test_split(
        data.data.astype(np.float32), malignant, test_size=0.4, stratify=malignant, random_state=0
    )

    keras.utils.set_random_seed(0)
    standardise = layers.Normalization()
    standardise.adapt(x)
    model = keras.Sequential(
        [
            layers.Input((x.shape[1],), name="measurements"),
            standardise,
            layers.Dense(32, activation="relu"),
            layers.Dense(16, activation="relu"),
            layers.Dense(1, activation="sigmoid", name="risk"),
        ]
    )
    model.compile("adam", "binary_crossentropy")
    model.fit(x, y, epochs=40, batch_size=32, verbose=0)

    # The training set calibrates and gives the verdict. The test set below is new to model and files.
    samples = {"measurements": x, "y": y}
    report = edgekit.convert(model, samples, output, precision=["float32", "int8"])
    auc = roc_auc_score(y_test, model.predict(x_test, verbose=0)[:, 0])
    for file in report.files:
        if file.precision == "int8":
            with open_model(output / file.name) as scorer:
                deployed = roc_auc_score(y_test, scorer.run(x_test)[:, 0])
            print(f"{file.name}: ROC AUC {deployed:.4f} (float {auc:.4f}), {file.verdict}")

    with open_model(output / "model_int8.tflite") as scorer:
        for patient in (y_test.argmax(), y_test.argmin()):
            risk = scorer.run(x_test[patient : patient + 1]).item()
            print(f"risk {risk:.0%}, diagnosis {data.target_names[1 - y_test[patient]]}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "samples-out/breast_cancer_risk"))

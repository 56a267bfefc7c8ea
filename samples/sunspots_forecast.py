"""Next year's sunspots from the last eleven: an LSTM becomes int8 files.

    pip install statsmodels        # it ships the series, 1700 to 2008
    python samples/sunspots_forecast.py [output folder]

The model takes and gives sunspots, since it scales them inside: a device needs no other numbers.
Takes half a minute.
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

LOOK_BACK = 11  # years: about one solar cycle
FUTURE = 59  # the last years, which neither training nor calibration sees


def load_sunspots() -> np.ndarray:
    """The yearly numbers."""
    try:
        from statsmodels.datasets import sunspots
    except ImportError:
        print("the sunspots come with statsmodels: pip install statsmodels", file=sys.stderr)
        raise SystemExit(4) from None  # as edgekit itself ends where a package is missing
    return sunspots.load_pandas().data["SUNACTIVITY"].to_numpy(np.float32)


def rmse(expected: np.ndarray, got: np.ndarray) -> float:
    """The root of the mean squared error, in sunspots."""
    return float(np.sqrt(np.mean((expected - got.reshape(-1)) ** 2)))


def main(output: Path) -> None:
    """Trains on the years to 1949, converts, and forecasts the years from 1950."""
    series = load_sunspots()
    windows = np.lib.stride_tricks.sliding_window_view(series, LOOK_BACK + 1)
    past, future = windows[:-FUTURE], windows[-FUTURE:]

    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((LOOK_BACK, 1), name="years"),
            layers.Rescaling(1 / 100),
            layers.LSTM(32),
            layers.Dense(1),
            layers.Rescaling(100, name="next_year"),
        ]
    )
    model.compile(keras.optimizers.Adam(0.005), "mse")
    model.fit(past[:, :-1, None], past[:, -1], epochs=40, batch_size=32, verbose=0)

    # int8 clips what is beyond the calibrated range, and no cycle before 1950 was as strong as that
    # of 1957. So calibration also sees the past with cycles stronger by a third.
    calibration = np.concatenate([past, past * 1.33])[:, :-1, None]
    report = edgekit.convert(model, calibration, output, precision=["float32", "int8"])
    error = rmse(future[:, -1], model.predict(future[:, :-1, None], verbose=0))
    for file in report.files:
        if file.precision == "int8":
            with open_model(output / file.name) as forecaster:
                deployed = rmse(future[:, -1], forecaster.run(future[:, :-1, None]))
            print(f"{file.name}: RMSE {deployed:.2f} (float {error:.2f}), {file.verdict}")

    with open_model(output / "model_int8.onnx") as forecaster:
        answer = forecaster.run(series[None, -LOOK_BACK:, None]).item()
    print(f"after {series[-1]:.1f} sunspots in 2008, the int8 file expects {answer:.1f} in 2009")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "samples-out/sunspots_forecast"))

"""VGG16 on photos of 224x224: 553 MB of float weights become 139 MB of int8.

    python samples/vgg16_photo.py [output folder]

Takes minutes and 6 GB of memory, and leaves 1.4 GB of files. Keras downloads the ImageNet weights (553 MB) once;
without a network, random weights show the way, and the answers mean nothing.
"""

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_images

import edgekit
from edgekit_runtimes import open_model
from edgekit_runtimes.engines.captured_output import quiet

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # else TensorFlow prints more than the sample does
with quiet():
    import keras
    from keras.applications import vgg16

CROPS = 12  # of each photo; 100 photos of your own are better


def load_vgg16() -> keras.Model:
    """VGG16 with ImageNet's weights, or with random ones where they cannot be had."""
    try:
        return vgg16.VGG16(weights="imagenet")
    except Exception as error:  # what Keras raises for a failed download
        print(f"RANDOM WEIGHTS, the answers mean nothing: {error}")
    keras.utils.set_random_seed(0)
    model = vgg16.VGG16(weights=None)
    # Untrained, all 1,000 shares are near 0.001, less than the step of an int8 softmax (1/256).
    last = model.get_layer("predictions")
    last.set_weights([weights * 50 for weights in last.get_weights()])
    return model


def save_crops(folder: Path) -> None:
    """Random parts of scikit-learn's two photos, mirrored or not, as JPEG files."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number, pixels in enumerate(load_sample_images().images * CROPS):
        size = random.integers(224, 427)
        top, left = (random.integers(0, full - size + 1) for full in pixels.shape[:2])
        crop = pixels[top : top + size, left : left + size, :: random.choice([-1, 1])]
        Image.fromarray(crop).resize((224, 224)).save(folder / f"{number:02}.jpg")


def best(probabilities: np.ndarray) -> list[str]:
    """The three likeliest classes: by name, or by number where the names cannot be downloaded."""
    try:
        named = vgg16.decode_predictions(probabilities, top=3)[0]
        return [f"{name} {share:.0%}" for _, name, share in named]
    except Exception:  # what Keras raises for a failed download
        numbers = probabilities[0].argsort()[::-1][:3]
        return [f"class {number} {probabilities[0, number]:.0%}" for number in numbers]


def main(output: Path) -> None:
    """Converts VGG16 with a folder of photos, and asks both what is on one of them."""
    model = load_vgg16()
    save_crops(output / "photos")
    # "caffe" is what vgg16.preprocess_input does: BGR, less ImageNet's mean.
    report = edgekit.convert(model, output / "photos", output, scale="caffe")
    print(*report.warnings, sep="\n")
    floats = {file.format: file for file in report.files if file.precision == "float32"}
    for file in report.files:
        if file.precision == "int8":
            print(
                f"{file.name}: agreement {file.worst_result.agreement:.1%} "
                f"(float {floats[file.format].worst_result.agreement:.1%}), {file.verdict}"
            )

    china = Image.fromarray(load_sample_images().images[0]).resize((224, 224))
    x = vgg16.preprocess_input(np.asarray(china, np.float32)[None])
    print("china.jpg, float:", *best(model.predict(x, verbose=0)), sep="\n  ")
    with open_model(output / "model_int8.tflite") as deployed:
        print("china.jpg, int8:", *best(deployed.run(x)), sep="\n  ")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "samples-out/vgg16_photo"))

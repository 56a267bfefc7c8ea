"""The options of convert and validate, each declared once.

The Python parameters, the flags of the command, the keys of ``edgekit.toml`` with their JSON schema, and
what the pytest plugin takes are all made from these types. To add an option, add a field, and use it
where the work is done.
"""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from edgekit.options.formats import all_format_names
from edgekit.options.kinds import (
    Anything,
    Bounds,
    Choice,
    ClassNames,
    File,
    Names,
    Paths,
    Seconds,
    Switch,
    Text,
    Whole,
)
from edgekit.options.option import Option

if TYPE_CHECKING:
    from edgekit_converters import Format, InterfaceType, Precision

PathName = str | PathLike[str]
Several = str | Sequence[str]
Bound = float | str | Sequence[str] | Mapping[str, float | str]
"""``0.01``, ``"1%"``, ``"f1=2%"``, several of them, or ``{"f1": "2%"}``."""


def _precisions() -> Iterable[str]:
    from edgekit_converters import PRECISIONS

    return PRECISIONS


def _scales() -> Iterable[str]:
    from edgekit_runtimes.processing.image_input import SCALES

    return SCALES


class RunOptions(TypedDict, total=False):
    """Options of everything that loads a model and reads samples."""

    scale: Annotated[
        str | None,
        Option(
            Choice(_scales, "HOW"),
            "What the pixels of image files become: 0..1, -1..1, 0..255, or caffe or torch as Keras "
            "names them.",
            default_help="0..1, or as the files were converted",
        ),
    ]
    labels: Annotated[
        "PathName | Sequence[str]",
        Option(
            ClassNames(),
            "Class names, in the order of the model's outputs: a text file with one name a line. Class "
            "folders take their numbers from it.",
            (),
            "as the files were converted, or class folders in alphabetical order",
        ),
    ]
    trust: Annotated[
        bool,
        Option(
            Switch(),
            "Run code that the model file carries (Lambda layers, file operations of a SavedModel).",
            False,
        ),
    ]
    timeout: Annotated[
        float | None, Option(Seconds(), "Stop after this many seconds, reading samples included.")
    ]


class LimitOptions(TypedDict, total=False):
    """Limits on what a file may lose; the report fails where one is exceeded."""

    max_drop: Annotated[
        Bound,
        Option(
            Bounds("[METRIC=]DROP"),
            "The largest accuracy drop allowed: 1%, f1=2%, or rmse=5%rel (relative to the original's).",
            (),
            "1%",
        ),
    ]
    min: Annotated[
        Bound,
        Option(
            Bounds(), "The least value of a metric: top1=0.9, or f1@digit=0.8 for one output.", ()
        ),
    ]
    max: Annotated[Bound, Option(Bounds(), "The greatest value of a metric: rmse=0.5.", ())]
    task: Annotated[
        Several,
        Option(
            Names(metavar="[OUTPUT=]TASK", may_be_empty=True),
            "What the outputs are, where the guess is wrong: classes, sequence, binary, multilabel, index, "
            "detection or values; tags=multilabel for one output.",
            (),
            "by the outputs and the labels",
        ),
    ]


class SavedOptions(LimitOptions, total=False):
    """Options of evaluating outputs, whether they were just computed or saved earlier."""

    metrics: Annotated[
        Several,
        Option(
            Names(may_be_empty=True),
            "Further metrics to compute: f1,roc_auc,top3, or module:function for your own.",
            (),
        ),
    ]
    worst: Annotated[
        int,
        Option(
            Whole(0),
            "List the N samples whose predictions changed most.",
            10,
            "10 in pages and JSON, none in the console",
        ),
    ]


class FileOptions(TypedDict, total=False):
    """Options of writing files."""

    batch: Annotated[int, Option(Whole(), "Batch size, which is fixed in the files.", 1)]
    golden: Annotated[
        int,
        Option(
            Whole(0),
            "Put at most N of the samples into golden.npz, with each file's outputs: the folder tests itself "
            "with them wherever it is. 0 for none.",
            8,
        ),
    ]
    distributions: Annotated[
        bool | None,
        Option(
            Switch(),
            "Put into the manifest how inputs and outputs are distributed in the samples (counts between quantiles, "
            "no sample): what a monitor compares with.",
            default_help="yes",
        ),
    ]
    license: Annotated[
        str | None,
        Option(Text("SPDX|TEXT"), "The model's license, for the manifest and the files."),
    ]
    io: Annotated[
        "InterfaceType",
        Option(
            Choice(lambda: ("float", "int8"), "float|int8"),
            "Input and output dtype of int8 files: float32, or int8 without conversion.",
            "float",
        ),
    ]
    opset: Annotated[int, Option(Whole(13, 19, "13..19"), "ONNX opset version.", 17)]
    force: Annotated[
        bool,
        Option(Switch(), "Replace a manifest.json that edgekit did not write.", False),
    ]


class ConvertOptions(RunOptions, LimitOptions, FileOptions, total=False):
    """The options of ``edgekit.convert``."""

    to: Annotated[
        "Format | Sequence[Format] | str",
        Option(
            Names(all_format_names, "FORMATS"),
            "File formats to write: any of tflite, onnx, and micro, an int8 file for microcontrollers.",
            ("tflite", "onnx"),
        ),
    ]
    precision: Annotated[
        "Precision | Sequence[Precision] | str",
        Option(
            Names(_precisions),
            "Precisions to write: any of float32, float16, dynamic, int8, int16x8.",
            ("float32", "int8"),
        ),
    ]
    samples: Annotated[
        int, Option(Whole(), "The most samples to calibrate on; others evaluate the files.", 200)
    ]
    recipe: Annotated[
        PathName | None,
        Option(
            File(),
            "Make quantized files as this recipe.json says, which convert and tune write.",
        ),
    ]
    keep_float: Annotated[
        Several,
        Option(
            Names(metavar="LAYER,...", may_be_empty=True),
            "Layers, or operators by the name of their output, that stay in float32 in int8 files.",
            (),
        ),
    ]
    for_: Annotated[
        Several,
        Option(
            Names(metavar="RUNTIME==VERSION", may_be_empty=True),
            "Write only files that this version runs: litert==1.4, tflite==2.14 or onnxruntime==1.17; several "
            "joined by commas.",
            (),
        ),
    ]
    ranges: Annotated[
        str | None,
        Option(
            Anything("HOW"),
            "How the range of a tensor is found: extremes, mse, or percentile:99.99.",
            default_help="extremes, or as the recipe says",
        ),
    ]
    dense_per_tensor: Annotated[
        bool,
        Option(Switch(), "Give Dense weights one scale in int8 files: less on an Ethos-U.", False),
    ]


class EngineOptions(TypedDict, total=False):
    """Which machines compute."""

    engine: Annotated[
        str, Option(Anything("ENGINE"), "Where files run: local, or dask=HOST:PORT.", "local")
    ]


class ValidateOptions(RunOptions, SavedOptions, EngineOptions, total=False):
    """The options of ``edgekit.validate``."""

    samples: Annotated[int, Option(Whole(), "The most samples to evaluate on.", 1000)]
    devices: Annotated[
        Several, Option(Names(), "Devices to run each file on, joined by commas.", ("cpu",))
    ]
    per_layer: Annotated[
        bool | None,
        Option(
            Switch(),
            "Compare quantized files layer by layer, and name likely causes.",
            default_help="only files that fail",
        ),
    ]
    cache: Annotated[
        bool | None,
        Option(
            Switch(),
            "Keep the outputs of a Keras original for the next run on the same samples.",
            default_help="yes, at most 2 GiB, unless EDGEKIT_CACHE=off",
        ),
    ]
    save: Annotated[
        PathName | None,
        Option(File(), "Save all outputs to this .npz or .json file, to evaluate again later."),
    ]


class ConvertInputs(TypedDict, total=False):
    """What a command that converts a model works on."""

    model: Annotated[Any, Option(Anything("MODEL"), "The Keras model.", positional=True)]
    data: Annotated[
        Any,
        Option(
            Anything("DATA"),
            "Samples: .npz, .npy, .csv, an image, a folder of images, module:function, or random.",
        ),
    ]
    output: Annotated[PathName, Option(File(), "The folder to write into.", "out", short="-o")]


class _ValidateInputs(TypedDict, total=False):
    model: Annotated[Any, Option(Anything("ORIGINAL"), "The original model.", positional=True)]
    candidates: Annotated[
        "PathName | Sequence[PathName]",
        Option(Paths("CANDIDATE"), "Files, and folders that convert made.", (), positional=True),
    ]
    data: Annotated[
        Any, Option(Anything("DATA"), "Samples, as for convert; with labels for accuracy metrics.")
    ]


class Strictness(TypedDict, total=False):
    """How the command ends."""

    strict: Annotated[
        bool, Option(Switch(), "Fail also where samples are too few to decide.", False)
    ]


class ReportForms(TypedDict, total=False):
    """What the report is written as, beside the console."""

    html: Annotated[PathName | None, Option(File(), "Write the report as an HTML page.")]
    junit: Annotated[PathName | None, Option(File(), "Write the report as JUnit XML.")]
    markdown: Annotated[
        PathName | None, Option(File(), "Write a summary as Markdown, for a pull request.")
    ]


class CardForm(ReportForms, total=False):
    """The same where a folder is written, which a card can describe."""

    card: Annotated[
        PathName | None, Option(File(), "Write a model card as Markdown: MODEL_CARD.md.")
    ]


class ConvertCommand(ConvertInputs, ConvertOptions, Strictness, CardForm, total=False):
    """What ``edgekit convert`` takes, and the keys of ``[convert]`` in ``edgekit.toml``."""

    tune: Annotated[
        bool,
        Option(
            Switch(),
            "Search for the fastest file within the limits, as edgekit tune does.",
            False,
        ),
    ]


class ValidateCommand(_ValidateInputs, ValidateOptions, Strictness, ReportForms, total=False):
    """What ``edgekit validate`` takes, and the keys of ``[validate]`` in ``edgekit.toml``."""

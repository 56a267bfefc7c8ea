"""What the three packages export, so that a name is neither lost nor added by accident."""

from types import ModuleType

import pytest

import edgekit
import edgekit_converters
import edgekit_runtimes

EXPORTED: list[tuple[ModuleType, str]] = [
    (
        edgekit,
        "Bisection BoardError ConversionError DataError DeviceUnavailable Diff EdgekitError Export FileResult InputError "
        "Limit LimitResult Limits MetricValue ModelError NotDelegated OptionError OutputResult Pushed Report "
        "RuntimeMissing Timing bench bisect convert diff export open_model push sign tune validate validate_saved",
    ),
    (
        edgekit_converters,
        "CALIBRATED DEFAULT_OPSET FORMATS PRECISIONS Conversion ConversionError Format InterfaceType "
        "Job Precision Quantized Recipe RecipeDocument Sample Samples SourceError Target Variants Writer check_method check_source convert "
        "document_of format_of load_model ranges_over recipe_of",
    ),
    (
        edgekit_runtimes,
        "Answer Check DataChanged DEVICES FILES Device DeviceUnavailable Engine Facts FileReader InputError ModelError Monitor "
        "MonitorOptions MonitorReport NotDelegated "
        "Operator Placement Prediction Reference RuntimeMissing RuntimesError Session SignatureError StoredPrecision TensorSamples TensorSpec cpu_limit "
        "Verified keras_session open_layers open_model precision_of verify_folder",
    ),
]


@pytest.mark.parametrize(("package", "names"), EXPORTED, ids=lambda value: str(value)[:30])
def test_exported_names(package: ModuleType, names: str) -> None:
    assert sorted(package.__all__) == sorted(names.split())
    for name in package.__all__:
        assert getattr(package, name) is not None


def test_what_is_listed_is_what_is_found() -> None:
    assert sorted(dir(edgekit)) == sorted([*edgekit.__all__, "__version__"])

"""ONNX Runtime: runs ``.onnx`` files on the CPU. Its other execution providers: ``ort_providers.py``."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit_runtimes.base import Array, Engine, ModelError, RuntimeMissing, TensorSpec
from edgekit_runtimes.formats import onnx_file
from edgekit_runtimes.formats.onnx_file import QUANTIZATION_KEY, quantization
from edgekit_runtimes.host import has_vnni
from edgekit_runtimes.placement import Placement

if TYPE_CHECKING:  # only some processors need it
    from edgekit_runtimes.engines.signed_weights import SignedFile

CPU_PROVIDER = "CPUExecutionProvider"
_NUMPY_OF = {"float": "float32", "double": "float64", "bool": "bool"}
_AS_WRITTEN = {
    "session.disable_quant_qdq": "1"
}  # no integer kernels in place of quantized operators


def open_mlas(path: Path, threads: int = 1) -> Engine:
    """Opens an ONNX file on the CPU, with unsigned weights made signed where that is faster.

    Raises:
        RuntimeMissing: onnxruntime is not installed.
        ModelError: the file is not ONNX, is cut short, or has an operator that is unknown.
    """
    return _open_on_cpu(path, threads, {}, signed=signed_weights_are_faster())


def signed_weights_are_faster() -> bool:
    """Whether this processor's kernels are fastest with signed weights, and do not saturate on them.

    So it is on x86 with VNNI. ARM does not saturate either, but has not been measured.
    """
    return has_vnni()


def open_simulated(path: Path, threads: int = 1) -> Engine:
    """Opens an ONNX file on the CPU with quantized operators computed in float32.

    Pairs of QuantizeLinear and DequantizeLinear are computed one by one, as the file is written: what
    the integer kernels of any processor should give.

    Raises:
        RuntimeMissing, ModelError: as ``open_mlas``.
    """
    return _open_on_cpu(path, threads, _AS_WRITTEN, signed=False)


def _open_on_cpu(path: Path, threads: int, entries: Mapping[str, str], *, signed: bool) -> Engine:
    runtime = load_runtime()
    settings = session_options(runtime, threads, entries)
    changed = _signed_file(path) if signed else None
    content = changed.content if changed else None
    session = open_session(runtime, path, settings, content=content, providers=[CPU_PROVIDER])

    def place() -> Placement:
        from edgekit_runtimes.engines.ort_placement import cpu_placement

        try:  # made once more: kept, its bytes would be a second copy of the model
            return cpu_placement(runtime, path, _signed_file(path) if signed else None)
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(f"{path}: ONNX Runtime cannot profile it: {error}") from error

    return make_engine(path, session, place, concurrent=True)


def open_exposed(path: Path, tensors: Sequence[str], *, fused: bool) -> Any:
    """An ``InferenceSession`` that also gives the graph's inner tensors.

    Two serialized protobuf messages, one behind the other, are their union: the file followed by the
    names of more outputs is the file with more outputs.

    Args:
        path: the file.
        tensors: the names of the tensors.
        fused: whether quantized operators run in integers.
    """
    runtime = load_runtime()
    settings = session_options(runtime, 1, {} if fused else _AS_WRITTEN)
    content = path.read_bytes() + onnx_file.more_outputs(path, tensors)
    return open_session(runtime, path, settings, content=content, providers=[CPU_PROVIDER])


def _signed_file(path: Path) -> "SignedFile | None":
    from edgekit_runtimes.engines.signed_weights import with_signed_weights

    return with_signed_weights(path)


def load_runtime() -> Any:
    """The module ``onnxruntime``.

    Raises:
        RuntimeMissing: it is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise RuntimeMissing(
            "ONNX Runtime is not installed: pip install 'edgekit-toolkit[onnx]'"
        ) from error
    return onnxruntime


def session_options(
    runtime: Any, threads: int, entries: Mapping[str, str], *, logged: bool = False
) -> Any:
    """Its ``SessionOptions``, with further entries of its configuration.

    Args:
        runtime: the module onnxruntime.
        threads: of one call.
        entries: keys and values of its configuration.
        logged: whether it prints errors; else it only raises them.
    """
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3 if logged else 4
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    return options


def open_session(
    runtime: Any,
    path: Path,
    options: Any,
    *,
    providers: Sequence[Any] | None = None,
    content: bytes | None = None,
) -> Any:
    """An ``InferenceSession``, without its fallback to other providers.

    Args:
        runtime: the module onnxruntime.
        path: the file.
        options: as of ``session_options``.
        providers: by name, or with their options; None where ``options`` has them.
        content: what to load in place of the file's own content.

    Raises:
        ModelError: it cannot be opened.
    """
    try:
        return runtime.InferenceSession(
            content or str(path), options, providers=providers, enable_fallback=0
        )
    except Exception as error:  # its exceptions share no base but Exception
        raise ModelError(f"{path}: ONNX Runtime cannot open it: {error}") from error


def make_engine(
    path: Path,
    session: Any,
    place: Callable[[], Placement],
    *,
    concurrent: bool,
    simulated: bool = False,
) -> Engine:
    """An engine on an ``InferenceSession``."""
    try:
        metadata = session.get_modelmeta().custom_metadata_map
        scales = quantization(metadata.get(QUANTIZATION_KEY, "{}"))
        inputs = [_spec(i, scales) for i in session.get_inputs()]
        outputs = [_spec(o, scales) for o in session.get_outputs()]
    except Exception as error:  # its exceptions share no base but Exception
        raise ModelError(f"{path}: its inputs and outputs cannot be read: {error}") from error
    takes, gives = [s.name for s in inputs], [s.name for s in outputs]
    takes_one = takes[0] if takes else ""
    # Its wrapper checks names and looks for a way to fall back; the names are ours, and no fallback is
    # wanted.
    run = session._sess.run if hasattr(session, "_sess") else session.run

    def call(arrays: Sequence[Array]) -> Sequence[Array]:
        try:
            return run(gives, dict(zip(takes, arrays, strict=True)), None)  # type: ignore[no-any-return]
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(f"{path}: ONNX Runtime cannot run it: {error}") from error

    def one(array: Array) -> Array:
        try:
            return run(gives, {takes_one: array}, None)[0]  # type: ignore[no-any-return]
        except Exception as error:  # its exceptions share no base but Exception
            raise ModelError(f"{path}: ONNX Runtime cannot run it: {error}") from error

    return Engine(inputs, outputs, call, place, one=one, concurrent=concurrent, simulated=simulated)


def input_specs(session: Any) -> list[TensorSpec]:
    """The inputs of an ``InferenceSession``, as the file has them."""
    return [_spec(port, {}) for port in session.get_inputs()]


def numpy_type(port: Any) -> str:
    """NumPy's name of an input's type."""
    kind = str(port.type).removeprefix("tensor(").removesuffix(")")
    return _NUMPY_OF.get(kind, kind)


def _spec(port: Any, scales: dict[str, tuple[float, int]]) -> TensorSpec:
    scale, zero_point = scales.get(port.name, (None, 0))
    return TensorSpec(
        name=port.name,
        shape=tuple(n if isinstance(n, int) else None for n in port.shape),
        dtype=numpy_type(port),
        scale=scale,
        zero_point=zero_point,
    )

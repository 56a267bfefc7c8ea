"""``open_model``: from the path of a model file and the name of a device to an open session."""

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit_runtimes.base import (
    DeviceUnavailable,
    Engine,
    ModelError,
    NotDelegated,
    RuntimeMissing,
)
from edgekit_runtimes.checked_files import check_file
from edgekit_runtimes.engines.devices import DEVICES, Device, delegate_device
from edgekit_runtimes.engines.keras import keras_engine
from edgekit_runtimes.formats.known_faults import warn_of_faults
from edgekit_runtimes.formats.model_ends import check_ends
from edgekit_runtimes.known_files import identity
from edgekit_runtimes.session import Session

if TYPE_CHECKING:
    from edgekit_runtimes.monitoring.monitor import MonitorOptions
    from edgekit_runtimes.processing.facts import Facts

_KINDS = ("cpu", "gpu", "npu")


def open_model(
    path: str | Path,
    *,
    device: str = "cpu",
    threads: int | None = None,
    strict: bool = False,
    min_delegated: float | None = None,
    raw: bool = False,
    trust: bool = False,
    key: str | Path | None = None,
    monitor: "bool | MonitorOptions" = False,
) -> Session:
    """Open a model file, or the best file of a folder that ``edgekit convert`` made.

    >>> import numpy as np
    >>> images = np.load("samples.npz")["image"]
    >>> with open_model("out/model_int8.tflite") as model:
    ...     model.run(images).shape
    (400, 10)

    Args:
        path: ``.tflite``, ``.onnx``, ``.keras`` or ``.h5``; or such a folder, of whose files those
            take part whose verdict is "pass".
        device: ``cpu``, ``gpu`` or ``npu``: the first of that kind that is ready; a device by its
            exact name (``DEVICES`` lists them); the path of a LiteRT delegate's library; or
            ``auto``: the fastest of this machine's devices and thread counts whose outputs are
            right, measured once and remembered.
        threads: how many processors one call may use. Without it, one, or what ``auto`` finds best.
        strict: refuse unless the device itself runs every operator. ``cpu`` always does; with
            ``xnnpack``, operators of LiteRT's own kernels count as not delegated.
        min_delegated: refuse unless it runs this fraction of them, 0 to 1.
        raw: pass the integers of a file with integer inputs and outputs unchanged, not as float32.
        trust: open a ``.tflite`` or ``.onnx`` file that no manifest lists without a trial. Otherwise
            it is checked, and run once in a process of its own, the first time for its content,
            because a damaged or hostile file can end the process that opens it.
        key: a public key or certificates, in PEM: refuse a folder, or a file of one, that is not, file
            for file, what its holder signed (``edgekit sign``). What was verified is copied to a folder
            of this process alone while it is hashed, and the copy is opened, until the session is closed.
        monitor: compare what goes through with the distributions in the manifest: ``session.monitor``.

    A file that the manifest beside it lists must be the one that was listed; its hash is computed once
    for as long as it is not changed.

    Where the installed runtime is known to compute something in the file wrongly (``known_faults.FAULTS``), a
    ``KnownFault`` warning says so, once for each file.

    Raises:
        ModelError: there is no such file, it is not the one that its manifest lists, or its runtime
            cannot open it.
        SignatureError: the folder is not what the holder of ``key`` signed.
        ValueError: ``threads`` is below 1, or ``min_delegated`` not from 0 to 1.
        RuntimeMissing: no runtime for such files is installed; the message has the pip line.
        DeviceUnavailable: the device is not there, or runs no operator of the model.
        NotDelegated: the device would run less of the model than was asked for.
    """
    path = Path(path)
    if threads is not None and threads < 1:
        raise ValueError(f"threads={threads}: it must be at least 1.")
    if min_delegated is not None and not 0 <= min_delegated <= 1:
        raise ValueError(f"min_delegated={min_delegated}: it must be from 0 to 1.")
    least = 1.0 if strict else min_delegated
    by_name = device not in (*_KINDS, "auto")
    open_one = partial(_open, least=least, by_name=by_name, raw=raw, trust=trust)
    if not path.exists():
        raise ModelError(f"{path}: there is no such file or folder.")
    if not (path.is_file() or path.is_dir()):
        raise ModelError(
            f"{path}: neither a file nor a folder: a pipe or a device, which may never end."
        )
    if (name := os.fsencode(path).decode("utf-8", "backslashreplace")) != str(path):
        raise ModelError(
            f"{name}: its name is not UTF-8, and the runtimes open no such file. Rename it or its folder."
        )
    if key is not None:
        from edgekit_runtimes.bundle.signed_copy import open_signed

        open_it = partial(
            open_model,
            device=device,
            threads=threads,
            strict=strict,
            min_delegated=min_delegated,
            raw=raw,
            trust=trust,
            monitor=monitor,
        )
        return open_signed(path, key, open_it)
    session = _open_best(path, device, threads, open_one, question=f"{device} {least} {raw}")
    if monitor:
        _monitored(session, monitor)
    return session


def _open_best(
    path: Path,
    device: str,
    threads: int | None,
    open_one: Callable[[Path, Device, int], Session],
    *,
    question: str,
) -> Session:
    """A session of the fastest file and device where there is a choice, or else of the first that is ready."""
    if path.is_dir() or device == "auto":
        from edgekit_runtimes import (
            autoselect,  # its imports would double the start of every script
        )

        return autoselect.open_fastest(
            path,
            partial(_candidates, device),
            open_one,
            threads,
            question=question,
        )
    reasons: list[DeviceUnavailable] = []
    for candidate in _candidates(device, path):
        try:
            return open_one(path, candidate, threads or 1)
        except NotDelegated:
            raise
        except DeviceUnavailable as error:
            if device not in _KINDS:
                raise
            reasons.append(error)
    raise DeviceUnavailable("; ".join(map(str, reasons)))


def _monitored(session: Session, monitor: "bool | MonitorOptions") -> None:
    """Watch a session with a monitor of the manifest beside its file; close it where there is none."""
    from edgekit_runtimes.bundle.reference_file import read_reference
    from edgekit_runtimes.monitoring.monitor import Monitor

    try:
        reference = read_reference(Path(session.path))
        session.watch_with(Monitor(reference, None if isinstance(monitor, bool) else monitor))
    except ModelError:
        session.close()
        raise
    except ValueError as error:
        session.close()
        raise ModelError(
            f"{session.path}: the distributions in its manifest are damaged: {error}. Convert again."
        ) from error


def keras_session(model: Any, name: str) -> Session:
    """A session on a Keras model that is already in memory.

    >>> import keras, numpy as np
    >>> layers = [keras.Input((4,), name="x"), keras.layers.Dense(2, name="y")]
    >>> session = keras_session(keras.Sequential(layers), "my model")
    >>> session.run(np.ones((3, 4), np.float32)).shape
    (3, 2)

    Args:
        model: the Keras model.
        name: what errors call it.
    """
    return Session(name, keras_engine(model), device="keras")


def _open(
    path: Path,
    device: Device,
    threads: int,
    *,
    least: float | None,
    by_name: bool,
    raw: bool,
    trust: bool,
) -> Session:
    """A session on one device, refused where that runs less than ``least`` of the model.

    For the word ``cpu`` there is nothing to fall back to: operators that XNNPACK leaves to LiteRT's
    own kernels count only where ``xnnpack`` was asked for by name.
    """
    opened, engine = _opened(path, device, threads, trust)

    def unchanged() -> bool:
        return _identity(path) == opened

    alone = device.kind != "cpu" or device.simulated or device.name == "keras"
    session = Session(
        str(path),
        engine,
        device=device.name,
        threads=threads,
        raw=raw,
        another=None if alone else partial(device.open, path, threads),
        unchanged=unchanged,
        facts=partial(_facts, path),
    )
    matters = by_name or device.kind != "cpu"
    if least is not None and matters and session.placement.delegated_fraction < least:
        placement = session.placement
        session.close()
        raise NotDelegated(
            f"{path}: asked for {least:.0%} of the operators on {device.name}. {placement}.",
            placement,
        )
    warn_of_faults(path, device.packages)
    return session


def _facts(path: Path) -> "Facts":
    from edgekit_runtimes.bundle.facts_file import read_facts

    return read_facts(path)


def _opened(
    path: Path, device: Device, threads: int, trust: bool
) -> tuple[tuple[int, ...] | None, Engine]:
    """The engine of a file that was checked, and the identity of the file that both were of."""
    while True:
        opened = _identity(path)
        check_file(path, device, threads, trust=trust)
        engine = device.open(path, threads)
        if _identity(path) == opened:
            break
        if engine.close:  # replaced meanwhile
            engine.close()
    try:
        check_ends(path, engine)
    except ModelError:
        if engine.close:
            engine.close()
        raise
    return opened, engine


def _identity(path: Path) -> tuple[int, ...] | None:
    """A key that changes when another file replaces this one."""
    try:
        return identity(path)
    except OSError:
        return None


def _candidates(device: str, path: Path) -> Sequence[Device]:
    """The devices that a name stands for, best first.

    Raises:
        ModelError: no device opens such files.
        RuntimeMissing, DeviceUnavailable: none of them is ready here.
    """
    suitable = [d for d in DEVICES if path.suffix in d.suffixes]
    if not suitable:
        endings = dict.fromkeys(s for d in DEVICES for s in d.suffixes)
        raise ModelError(f"{path}: a model file ends in {', '.join(endings)}.")
    if delegate := delegate_device(device):
        if path.suffix not in delegate.suffixes:
            raise DeviceUnavailable(
                f"{path}: {device} is a delegate of LiteRT, which opens .tflite files."
            )
        return [delegate]
    if device == "auto":
        wanted = [d for d in suitable if not d.simulated]
    elif device in _KINDS:
        wanted = [d for d in suitable if d.kind == device and not d.simulated]
    else:
        wanted = [d for d in suitable if d.name == device]
        if not wanted:
            names = ", ".join(d.name for d in suitable)
            raise DeviceUnavailable(
                f"{path}: no device {device!r} opens {path.suffix} files. There are: auto, cpu, gpu, "
                f"npu, {names}."
            )
    lacking: list[tuple[Device, DeviceUnavailable]] = []
    ready: list[Device] = []
    for candidate in wanted:
        if missing := candidate.missing():
            lacking.append((candidate, missing))
        else:
            ready.append(candidate)
    if not ready:
        raise _none_ready(path, device, lacking)
    return ready


def _none_ready(
    path: Path, device: str, lacking: Sequence[tuple[Device, DeviceUnavailable]]
) -> DeviceUnavailable:
    """The error for devices of which each lacks something."""
    lines = [f"{d.name}: {missing}: {d.add}" for d, missing in lacking]
    if lacking and (len(lacking) == 1 or lacking[0][0].kind == "cpu"):
        message = f"{path}: {lines[0]}"
        if isinstance(lacking[0][1], RuntimeMissing):
            from edgekit_runtimes.engines.wheels import (
                no_wheels_here,  # not in the start of every script
            )

            no_wheels = no_wheels_here()  # then the pip line would lead nowhere
            return RuntimeMissing(f"{message}. {no_wheels}" if no_wheels else message)
        return DeviceUnavailable(message)
    return DeviceUnavailable(f"{path}: no {device} is ready here. {'. '.join(lines)}")

"""An open model: float32 arrays in, float32 arrays out, whatever its file and device."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np

from edgekit_runtimes.arrays import batches, checked_inputs, dequantize
from edgekit_runtimes.base import Array, Engine, InputError, ModelError, TensorSpec
from edgekit_runtimes.host import cpu_limit
from edgekit_runtimes.placement import Placement
from edgekit_runtimes.stream import in_order

if TYPE_CHECKING:  # a script that only runs arrays starts without them
    from edgekit_runtimes.monitoring.monitor import Monitor
    from edgekit_runtimes.processing.facts import Facts
    from edgekit_runtimes.processing.prediction import Prediction

_NOTHING: tuple[int, ...] = (-1,)  # no array has this shape


class Session:
    """An open model: float32 arrays in, float32 arrays out, in batches of any size.

    Threads may share it. Where its runtime does one call at a time, so does the session.
    """

    def __init__(
        self,
        path: str,
        engine: Engine,
        *,
        device: str,
        threads: int = 1,
        raw: bool = False,
        another: Callable[[], Engine] | None = None,
        unchanged: Callable[[], bool] = lambda: True,
        facts: "Callable[[], Facts] | None" = None,
    ) -> None:
        """A session on an open engine. ``open_model`` makes one of a file.

        Args:
            path: the model's name in errors.
            engine: the open file.
            device: the exact name of its device.
            threads: how many the engine uses for one call.
            raw: pass integers in and out as the file has them.
            another: opens the file once more, for ``map``; None where that is no faster.
            unchanged: whether ``path`` is still the file that was opened.
            facts: reads what is known of the model beside its arrays.
        """
        self.path = path
        self.device = device
        self.threads = threads
        self.inputs: tuple[TensorSpec, ...] = tuple(engine.inputs)
        self.outputs: tuple[TensorSpec, ...] = tuple(engine.outputs)
        self.simulated = engine.simulated
        self.raw = raw
        self._engine: Engine | None = engine
        self._call = engine.call
        self._lock: Lock | None = None if engine.concurrent else Lock()
        self._another = another
        self._unchanged = unchanged
        self._spares: list[Session] = []
        self._placement: Placement | None = None
        self._read_facts = facts
        self._facts: Facts | None = None
        self._monitor: Monitor | None = None
        # Also on garbage collection and at exit: some devices must be released.
        self._finish = [weakref.finalize(self, engine.close)] if engine.close else []
        # An array of the file's exact shape and dtype skips every check.
        call = engine.call
        self._one: Callable[[Array], Array] = engine.one or (lambda array: call((array,))[0])
        plain = len(self.inputs) == 1 == len(self.outputs) and (
            raw or all(s.scale is None for s in (*self.inputs, *self.outputs))
        )
        plain = plain and self.outputs[0].shape != ()
        self._shape = self.inputs[0].shape if plain else _NOTHING
        self._dtype = np.dtype(self.inputs[0].dtype) if plain else None

    @overload
    def run(self, x: Mapping[str, Array]) -> dict[str, Array]: ...
    @overload
    def run(self, x: Array) -> Array: ...
    def run(self, x: Array | Mapping[str, Array]) -> Array | dict[str, Array]:
        """Runs the model on a batch of any size.

        Args:
            x: arrays by input name, batch axis first; or, for a model with one input and one output,
                the bare array. Other dtypes are converted; a quantized file takes and gives float32.

        Returns:
            Arrays by output name for arrays by name; the bare output for a bare array.

        Raises:
            InputError: a name, a shape or a dtype does not fit the model, or a bare array is given to
                a model with several inputs or outputs.
            ModelError: the session is closed, or the runtime failed.

        >>> import numpy as np
        >>> from edgekit_runtimes import Engine, TensorSpec
        >>> x, y = TensorSpec("x", (None, 3), "float32"), TensorSpec("y", (None,), "float32")
        >>> model = Session("sum", Engine([x], [y], lambda a: [a[0].sum(axis=1)]), device="fake")
        >>> model.run(np.array([[1, 2, 3], [4, 5, 6]]))
        array([ 6., 15.], dtype=float32)
        >>> model.run({"x": np.zeros((1, 3))})
        {'y': array([0.], dtype=float32)}
        """
        if x.__class__ is np.ndarray and x.shape == self._shape and x.dtype == self._dtype:
            if (lock := self._lock) is None:
                return self._one(x)
            with lock:
                return self._one(x)
        if isinstance(x, Mapping):
            return self._run(x)
        if not len(self.inputs) == 1 == len(self.outputs):
            names = {s.name: "..." for s in self.inputs}
            raise InputError(
                f"{self.path} has {_count(self.inputs, 'input')} and {_count(self.outputs, 'output')}: "
                f"pass arrays by name, {names}, to get a dictionary of outputs."
            )
        return self._run({self.inputs[0].name: x})[self.outputs[0].name]

    @overload
    def map(self, samples: Iterable[Mapping[str, Array]]) -> Iterator[dict[str, Array]]: ...
    @overload
    def map(self, samples: Iterable[Array]) -> Iterator[Array]: ...
    def map(
        self, samples: Iterable[Array] | Iterable[Mapping[str, Array]]
    ) -> Iterator[Array] | Iterator[dict[str, Array]]:
        """Runs the model on a stream of samples, on all processors, and yields outputs in order.

        An output is yielded as soon as it is computed; however long the stream, a few dozen samples
        are in memory.

        Args:
            samples: single samples, *without* the batch axis, otherwise as ``run`` takes them: arrays
                by input name, or bare arrays. Other threads iterate over it, one at a time.

        Returns:
            Outputs without the batch axis, as ``run`` returns them.

        Raises:
            InputError, ModelError: as ``run``, in place of that sample's output.

        >>> import numpy as np
        >>> from edgekit_runtimes import Engine, TensorSpec
        >>> x, y = TensorSpec("x", (1, 2), "float32"), TensorSpec("y", (1, 2), "float32")
        >>> model = Session("half", Engine([x], [y], lambda a: [a[0] / 2]), device="fake")
        >>> for output in model.map(np.array([i, 1.0]) for i in range(3)):
        ...     print(output)
        [0.  0.5]
        [0.5 0.5]
        [1.  0.5]
        """
        size = self.inputs[0].shape[0] or 1
        return in_order(samples, [s._outputs_of for s in self._workers()], size)

    def predict(self, x: Any, *, top: int | None = None, scale: str | None = None) -> "Prediction":
        """Runs the model on one sample, an image too, and gives answers by their names.

        Images become inputs as they did when the files were converted and evaluated, by the same code.

        Args:
            x: an image: a path, bytes (encoded, or as many pixels as the input has), an image of Pillow's, or
                uint8 pixels of any size, in RGB; or the numbers of one sample as ``run`` takes them, without
                the batch axis. By input name, where there are several.
            top: how many classes to give; by default, as the file says.
            scale: what pixels become (``0..1``, ``-1..1``, ``0..255``, ``caffe``, ``torch``), where neither
                the file nor its manifest says it, or says it wrong.

        Raises:
            InputError: it does not fit the model, is no image that can be read, or nothing says what pixels
                become.
            RuntimeMissing: Pillow is not installed, and the image is not uint8 pixels in the input's size.
            ModelError: the session is closed, or the runtime failed; or what the file says is damaged.
        """
        from edgekit_runtimes.processing.prediction import predicted
        from edgekit_runtimes.processing.sample import sample_of

        if self.raw:
            raise InputError(f"{self.path}: open it without raw=True for predictions.")
        sample = sample_of(x, self.inputs, self.facts, scale, self.path)
        outputs = self.run({name: array[np.newaxis] for name, array in sample.items()})
        return predicted({name: array[0] for name, array in outputs.items()}, self.facts, top)

    @property
    def facts(self) -> "Facts":
        """What is known of the model beside its arrays: class names, what images become, what outputs mean.

        Read on first access: from the manifest that lists the file, or from the file itself.

        Raises:
            ModelError: it is damaged, or is of another model.
        """
        from edgekit_runtimes.processing.facts import Facts, check_facts

        if self._facts is None:
            facts = self._read_facts() if self._read_facts else Facts()
            check_facts(facts, self.inputs, self.path)
            self._facts = facts
        return self._facts

    @property
    def monitor(self) -> "Monitor":
        """What goes through, compared with what the model was calibrated on.

        Raises:
            ModelError: it was opened without.
        """
        if self._monitor is None:
            raise ModelError(f"{self.path} is not monitored: open it with monitor=True.")
        return self._monitor

    def watch_with(self, monitor: "Monitor") -> None:
        """From now on a monitor looks at some of what goes through.

        Args:
            monitor: of a reference with these inputs and outputs; sessions may share it.

        Raises:
            ModelError: the session is closed, has one already, or is of another model.
        """
        from edgekit_runtimes.monitoring.attached import check_reference, observing

        self._opened()
        if self._monitor is not None:
            raise ModelError(f"{self.path} has a monitor already.")
        check_reference(monitor.reference, self.inputs, self.outputs, self.path)
        self._monitor = monitor
        self._one = observing(self._one, monitor, self.inputs[0], self.outputs[0])

    @property
    def placement(self) -> Placement:
        """Which processor runs which operators, and why the rest fell back.

        Determined on first access, which may take as long as opening the file again.

        Raises:
            ModelError: the session is closed, or the file has been replaced.
        """
        if self._placement is None:
            engine = self._opened()
            if not self._unchanged():
                raise ModelError(
                    f"{self.path} has been replaced since it was opened: open it again."
                )
            self._placement = engine.place()
        return self._placement

    def close(self) -> None:
        """Releases the runtime and its memory; the session cannot run any more."""
        self._engine, self._shape = None, _NOTHING
        self._call = self._closed
        self._one = lambda _: self._closed(())[0]
        self._another = None
        for spare in self._spares:
            spare.close()
        self._spares.clear()
        for finish in self._finish:
            finish()

    def when_closed(self, release: Callable[[], None]) -> None:
        """Calls a function when the session is closed, or is gone: after the runtime was released."""
        self._finish.append(weakref.finalize(self, release))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self) -> Engine:
        if self._engine is None:
            raise ModelError(f"{self.path} is closed.")
        return self._engine

    def _closed(self, _: Sequence[Array]) -> Sequence[Array]:
        raise ModelError(f"{self.path} is closed.")

    def _run(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        self._opened()
        given, count = checked_inputs(arrays, self.inputs, self.path, raw=self.raw)
        fixed = self.inputs[0].shape[0]
        parts = [given] if fixed in (None, count) else batches(given, count, fixed or 1)
        if self._lock is None:
            results = [self._call(part) for part in parts]
        else:
            with self._lock:
                results = [self._call(part) for part in parts]
        outputs = {}
        for i, spec in enumerate(self.outputs):
            if np.ndim(results[0][i]) == 0:
                raise ModelError(
                    f"{self.path}: its output {spec.name!r} is a single number for the whole batch; "
                    "models are run that have a batch axis first in every output."
                )
            array = results[0][i] if len(parts) == 1 else np.concatenate([r[i] for r in results])
            if fixed is not None:
                array = array[:count]
            outputs[spec.name] = (
                array if spec.scale is None or self.raw else dequantize(array, spec)
            )
        if self._monitor is not None:
            from edgekit_runtimes.monitoring.attached import observe

            observe(self._monitor, arrays, outputs, self.inputs, self.outputs)
        return outputs

    def _workers(self) -> list["Session"]:
        """The session, and as many others as processors can be kept busy."""
        if self._another is None:
            return [self]
        wanted = max(1, cpu_limit() // self.threads)
        if self._lock is None:  # the runtime takes calls side by side
            return [self] * wanted
        while len(self._spares) < wanted - 1 and self._unchanged():
            engine = self._another()
            spare = Session(
                self.path, engine, device=self.device, threads=self.threads, raw=self.raw
            )
            if self._monitor is not None:
                spare.watch_with(self._monitor)
            self._spares.append(spare)
        return [self, *self._spares[: wanted - 1]]

    def _outputs_of(self, samples: list[Any]) -> list[Any]:
        """The outputs for samples without their batch axis."""
        if isinstance(samples[0], Mapping):
            x: Any = {name: np.stack([s[name] for s in samples]) for name in samples[0]}
        elif self.inputs[0].shape[0] == 1 and len(self.outputs) == 1:
            return [self.run(np.asarray(sample)[np.newaxis])[0] for sample in samples]
        else:
            x = np.stack(samples)
        outputs = self.run(x)
        if isinstance(outputs, Mapping):
            return [{name: y[i] for name, y in outputs.items()} for i in range(len(samples))]
        return list(outputs)


def _count(specs: Sequence[TensorSpec], noun: str) -> str:
    return f"{len(specs)} {noun}{'' if len(specs) == 1 else 's'}"

"""An open model: real numbers in, real numbers out, on whatever device it was opened for."""

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from threading import Lock
from types import TracebackType
from typing import Any, Self, overload

import numpy as np

from edgekit_runtimes.arrays import batches, dequantize, taken
from edgekit_runtimes.base import Array, Engine, InputError, ModelError, TensorSpec
from edgekit_runtimes.host import cpu_limit
from edgekit_runtimes.placement import Placement
from edgekit_runtimes.stream import in_order

_NOTHING: tuple[int, ...] = (-1,)  # no array has this shape


class Session:
    """An open model: real numbers in, real numbers out, in batches of any size.

    May be shared by threads. Where its runtime does one call at a time, so does the session.
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
    ) -> None:
        """Takes over an open engine; ``open_model`` is how to get one.

        Args:
            path: what errors call the model.
            engine: the open file.
            device: the exact name of its device.
            threads: how many it uses for one call.
            raw: integers go in and out as the file has them.
            another: opens the file once more, for ``map``; None where that gains nothing.
            unchanged: whether what stands under ``path`` is still the file that was opened.
        """
        self.path = path
        self.device = device
        self.threads = threads
        self.inputs: tuple[TensorSpec, ...] = tuple(engine.inputs)
        self.outputs: tuple[TensorSpec, ...] = tuple(engine.outputs)
        self.emulated = engine.emulated
        self.raw = raw
        self._engine: Engine | None = engine
        self._call = engine.call
        self._lock: Lock | None = None if engine.concurrent else Lock()
        self._another = another
        self._unchanged = unchanged
        self._spares: list[Session] = []
        self._placement: Placement | None = None
        # Also when it is forgotten, and at the end of the process: some devices must be let go of.
        self._finish = weakref.finalize(self, engine.close) if engine.close else None
        # An array that is just what the file takes, and gives just what it says, skips every check.
        call = engine.call
        self._one: Callable[[Array], Array] = engine.one or (lambda array: call((array,))[0])
        plain = len(self.inputs) == 1 == len(self.outputs) and (
            raw or all(s.scale is None for s in (*self.inputs, *self.outputs))
        )
        self._shape = self.inputs[0].shape if plain else _NOTHING
        self._dtype = np.dtype(self.inputs[0].dtype) if plain else None

    @overload
    def run(self, x: Mapping[str, Array]) -> dict[str, Array]: ...
    @overload
    def run(self, x: Array) -> Array: ...
    def run(self, x: Array | Mapping[str, Array]) -> Array | dict[str, Array]:
        """The model's answers to a batch of any size.

        Args:
            x: an array by the name of each input, batch axis first; or, for a model with one
                input, the bare array.

        Returns:
            Arrays by the name of each output; for a bare array in and one output, the bare array.

        Raises:
            InputError: a name, a shape or a type is not what the model takes.
            ModelError: the session is closed, or the runtime failed.
        """
        if x.__class__ is np.ndarray and x.shape == self._shape and x.dtype == self._dtype:
            if (lock := self._lock) is None:
                return self._one(x)
            with lock:
                return self._one(x)
        if isinstance(x, Mapping):
            return self._run(x)
        if len(self.inputs) != 1:
            names = {s.name: "..." for s in self.inputs}
            raise InputError(
                f"{self.path} has {len(self.inputs)} inputs: pass arrays by name, as in run({names})."
            )
        answers = self._run({self.inputs[0].name: x})
        return answers[self.outputs[0].name] if len(self.outputs) == 1 else answers

    @overload
    def map(self, samples: Iterable[Mapping[str, Array]]) -> Iterator[dict[str, Array]]: ...
    @overload
    def map(self, samples: Iterable[Array]) -> Iterator[Array]: ...
    def map(
        self, samples: Iterable[Array] | Iterable[Mapping[str, Array]]
    ) -> Iterator[Array] | Iterator[dict[str, Array]]:
        """The answers to a stream of samples, in its order, on all processors at once.

        An answer is there as soon as it is computed; however long the stream, a few dozen are
        in memory.

        Args:
            samples: single samples, *without* the batch axis, as ``run`` takes batches: arrays, or
                arrays by input name. It is read by other threads, one at a time.

        Returns:
            Answers without the batch axis, as ``run`` gives them.

        Raises:
            InputError, ModelError: as ``run``, when the turn comes to that sample.
        """
        size = self.inputs[0].shape[0] or 1
        return in_order(samples, [s._answers for s in self._workers()], size)

    @property
    def placement(self) -> Placement:
        """Which processor runs which operators, and why the rest fell back.

        Found out when first asked for, which may take as long as opening the file again.
        """
        if self._placement is None:
            engine = self._opened()
            if not self._unchanged():
                raise ModelError(
                    f"{self.path} is another file by now: open it to learn of that one."
                )
            self._placement = engine.place()
        return self._placement

    def close(self) -> None:
        """Lets the runtime go, and the memory it holds."""
        self._engine, self._shape = None, _NOTHING
        self._call = self._closed
        self._one = lambda _: self._closed(())[0]
        self._another = None
        for spare in self._spares:
            spare.close()
        self._spares.clear()
        if self._finish:
            self._finish()

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
        given, count = self._checked(arrays)
        fixed = self.inputs[0].shape[0]
        parts = [given] if fixed in (None, count) else batches(given, count, fixed or 1)
        if self._lock is None:
            results = [self._call(part) for part in parts]
        else:
            with self._lock:
                results = [self._call(part) for part in parts]
        answers = {}
        for i, spec in enumerate(self.outputs):
            whole = results[0][i] if len(parts) == 1 else np.concatenate([r[i] for r in results])
            if fixed is not None:
                whole = whole[:count]
            answers[spec.name] = (
                whole if spec.scale is None or self.raw else dequantize(whole, spec)
            )
        return answers

    def _checked(self, arrays: Mapping[str, Array]) -> tuple[list[Array], int]:
        if unknown := sorted(set(arrays) - {s.name for s in self.inputs}):
            raise InputError(
                f"{self.path} has no input {', '.join(unknown)}; it takes "
                f"{'; '.join(map(str, self.inputs))}."
            )
        given = []
        for spec in self.inputs:
            if spec.name not in arrays:
                raise InputError(f"{self.path} also needs the input {spec}.")
            given.append(taken(np.asarray(arrays[spec.name]), spec, raw=self.raw))
        counts = {len(array) for array in given}
        if len(counts) != 1:
            raise InputError(
                f"the inputs of {self.path} have different batch sizes: {sorted(counts)}."
            )
        if not (count := counts.pop()):
            raise InputError(f"{self.path} was given a batch of no samples.")
        return given, count

    def _workers(self) -> list["Session"]:
        """The session, and as many others as processors can be kept busy."""
        if self._another is None:
            return [self]
        wanted = max(1, cpu_limit() // self.threads)
        if self._lock is None:  # the runtime takes calls side by side
            return [self] * wanted
        while len(self._spares) < wanted - 1 and self._unchanged():
            engine = self._another()
            self._spares.append(
                Session(self.path, engine, device=self.device, threads=self.threads, raw=self.raw)
            )
        return [self, *self._spares[: wanted - 1]]

    def _answers(self, samples: list[Any]) -> list[Any]:
        """The answers to samples without their batch axis."""
        if isinstance(samples[0], Mapping):
            x: Any = {name: np.stack([s[name] for s in samples]) for name in samples[0]}
        elif self.inputs[0].shape[0] == 1 and len(self.outputs) == 1:
            return [self.run(np.asarray(sample)[np.newaxis])[0] for sample in samples]
        else:
            x = np.stack(samples)
        answers = self.run(x)
        if isinstance(answers, Mapping):
            return [{name: y[i] for name, y in answers.items()} for i in range(len(samples))]
        return list(answers)

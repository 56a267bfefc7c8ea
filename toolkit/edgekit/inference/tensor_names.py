"""Match a file's inputs and outputs with the original's, whatever its converter called them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgekit.data.samples import Array, DataError
from edgekit_runtimes import Session, TensorSpec


class ModelInterface(Protocol):
    """A model's inputs and outputs: those of a session, or of a description of one."""

    @property
    def path(self) -> str:
        """The model's file, for messages."""

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """As ``Session.inputs``."""

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """As ``Session.outputs``."""


@dataclass(frozen=True, slots=True)
class MappedSession:
    """A session that is called with the original's input names and returns its output names."""

    session: Session
    inputs: Mapping[str, str]
    """From the original's names to the file's."""
    outputs: Mapping[str, str]
    """From the original's names to the file's."""

    @property
    def device(self) -> str:
        """As ``Session.device``."""
        return self.session.device

    def run(self, batch: Mapping[str, Array]) -> dict[str, Array]:
        """As ``Session.run``."""
        return self._original_names(self.session.run(self._file_names(batch)))

    def map(self, samples: Iterable[Mapping[str, Array]]) -> Iterator[dict[str, Array]]:
        """As ``Session.map``."""
        return map(self._original_names, self.session.map(map(self._file_names, samples)))

    def _file_names(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        return {in_file: inputs[name] for name, in_file in self.inputs.items()}

    def _original_names(self, outputs: Mapping[str, Array]) -> dict[str, Array]:
        return {name: outputs[in_file] for name, in_file in self.outputs.items()}


def with_original_names(session: Session, original: ModelInterface) -> MappedSession:
    """Map a file's inputs and outputs to its original's.

    They are matched by name, then by name without what TensorFlow adds to it, then by shape where
    that is unambiguous.

    Raises:
        DataError: an input or output of the original has no match.
    """
    return MappedSession(
        session,
        _match(original.inputs, session.inputs, f"{session.path}: its inputs"),
        _match(original.outputs, session.outputs, f"{session.path}: its outputs"),
    )


def input_names(
    shapes: Mapping[str, tuple[int, ...]], inputs: Sequence[TensorSpec], path: str
) -> dict[str, str]:
    """Map the names of samples' arrays to a file's input names, as ``with_original_names`` does.

    Args:
        shapes: of the arrays, without the batch axis.
        inputs: the file's.
        path: the file, for the message.

    Raises:
        DataError: an array has no match.
    """
    wanted = [TensorSpec(name, (None, *shape), "") for name, shape in shapes.items()]
    return _match(wanted, inputs, f"{path}: its inputs")


def _match(
    wanted: Sequence[TensorSpec], available: Sequence[TensorSpec], what: str
) -> dict[str, str]:
    """From the names of ``wanted`` to those of ``available``, by the strictest rule that decides."""
    matches: dict[str, str] = {}
    for fits in (_same_name, _plain_name, _same_shape):
        for spec in wanted:
            if spec.name in matches:
                continue
            free = [a for a in available if a.name not in matches.values() and fits(spec, a)]
            rivals = [w for w in wanted if w.name not in matches and any(fits(w, a) for a in free)]
            if len(free) == 1 and (fits is _same_name or len(rivals) == 1):
                matches[spec.name] = free[0].name
    if missing := [spec for spec in wanted if spec.name not in matches]:
        raise DataError(
            f"{what} are {'; '.join(map(str, available))}, and the original's "
            f"{'; '.join(map(str, missing))} {'matches' if len(missing) == 1 else 'match'} none of them "
            "by name or shape. Was it made from this model?"
        )
    return matches


def _same_name(a: TensorSpec, b: TensorSpec) -> bool:
    return a.name == b.name


def _plain_name(a: TensorSpec, b: TensorSpec) -> bool:
    """Equal without what TensorFlow adds, as in ``serving_default_image:0``."""
    return _plain(a.name) == _plain(b.name)


def _plain(name: str) -> str:
    return name.rpartition("/")[2].partition(":")[0].removeprefix("serving_default_")


def _same_shape(a: TensorSpec, b: TensorSpec) -> bool:
    """Equal but for the batch and dynamic dimensions."""
    first, second = a.shape[1:], b.shape[1:]
    return len(first) == len(second) and all(
        x is None or y is None or x == y for x, y in zip(first, second, strict=True)
    )

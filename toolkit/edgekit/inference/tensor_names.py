"""Which input and output of a file is which of the original's, whatever converters call them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgekit.data.samples import Array, DataError
from edgekit_runtimes import Session, TensorSpec


class NamedEnds(Protocol):
    """Anything with a model's inputs and outputs: a session, or what is left of one."""

    @property
    def path(self) -> str:
        """What errors call it."""

    @property
    def inputs(self) -> Sequence[TensorSpec]:
        """As ``Session.inputs``."""

    @property
    def outputs(self) -> Sequence[TensorSpec]:
        """As ``Session.outputs``."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """A session that speaks the original's names."""

    session: Session
    inputs: Mapping[str, str]
    """From the original's names to the file's."""
    outputs: Mapping[str, str]

    @property
    def device(self) -> str:
        """As ``Session.device``."""
        return self.session.device

    def run(self, batch: Mapping[str, Array]) -> dict[str, Array]:
        """As ``Session.run``."""
        return self._back(self.session.run({own: batch[name] for name, own in self.inputs.items()}))

    def map(self, samples: Iterable[Mapping[str, Array]]) -> Iterator[dict[str, Array]]:
        """As ``Session.map``."""
        given = ({own: sample[name] for name, own in self.inputs.items()} for sample in samples)
        return map(self._back, self.session.map(given))

    def _back(self, answers: Mapping[str, Array]) -> dict[str, Array]:
        return {name: answers[own] for name, own in self.outputs.items()}


def renamed(session: Session, original: NamedEnds) -> Renamed:
    """A file's session under the names of its original.

    Ends are matched by name, then by what is left without TensorFlow's additions to it, then by shape
    where that leaves no choice.

    Raises:
        DataError: an end of the original has no counterpart.
    """
    return Renamed(
        session,
        _match(original.inputs, session.inputs, f"{session.path}: its inputs"),
        _match(original.outputs, session.outputs, f"{session.path}: its outputs"),
    )


def input_names(
    shapes: Mapping[str, tuple[int, ...]], inputs: Sequence[TensorSpec], path: str
) -> dict[str, str]:
    """From the names of samples' arrays to those of a file's inputs, matched as ``renamed`` does.

    Raises:
        DataError: an input has no counterpart.
    """
    wanted = [TensorSpec(name, (None, *shape), "") for name, shape in shapes.items()]
    return _match(wanted, inputs, f"{path}: its inputs")


def _match(wanted: Sequence[TensorSpec], there: Sequence[TensorSpec], what: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for fits in (_same_name, _plain_name, _same_shape):
        for spec in wanted:
            if spec.name in found:
                continue
            free = [t for t in there if t.name not in found.values() and fits(spec, t)]
            rivals = [w for w in wanted if w.name not in found and any(fits(w, t) for t in free)]
            if len(free) == 1 and (fits is _same_name or len(rivals) == 1):
                found[spec.name] = free[0].name
    if missing := [spec for spec in wanted if spec.name not in found]:
        raise DataError(
            f"{what} are {'; '.join(map(str, there))}, and the original's "
            f"{'; '.join(map(str, missing))} {'is' if len(missing) == 1 else 'are'} none of them by "
            "name or by shape. Was it made from this model?"
        )
    return found


def _same_name(a: TensorSpec, b: TensorSpec) -> bool:
    return a.name == b.name


def _plain_name(a: TensorSpec, b: TensorSpec) -> bool:
    """The same but for what TensorFlow puts around a name, as ``serving_default_image:0``."""
    return _plain(a.name) == _plain(b.name)


def _plain(name: str) -> str:
    return name.rpartition("/")[2].partition(":")[0].removeprefix("serving_default_")


def _same_shape(a: TensorSpec, b: TensorSpec) -> bool:
    ours, theirs = a.shape[1:], b.shape[1:]
    return len(ours) == len(theirs) and all(
        x is None or y is None or x == y for x, y in zip(ours, theirs, strict=True)
    )

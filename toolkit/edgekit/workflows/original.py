"""The original model: what a user calls "my model", opened when it is needed, with outputs that are kept.

Importing TensorFlow and loading a model takes seconds. Where the same model ran on the same samples
before, its outputs come from ``edgekit.inference.output_cache``, and neither happens.
"""

from pathlib import Path
from typing import Any

from edgekit.bundle.plain import from_plain, to_plain
from edgekit.data.split import SampleSplit
from edgekit.inference import output_cache
from edgekit.inference.place import Executor
from edgekit.names import printable
from edgekit.progress import Progress
from edgekit.workflows.candidates import size_of
from edgekit.workflows.evaluate import Original, record_original
from edgekit.workflows.original_key import is_whole, model_key, samples_key
from edgekit_converters import format_of, load_model
from edgekit_converters.functional import as_functional
from edgekit_runtimes import Session, TensorSpec, keras_session, open_model


def source_of(model: Any, scratch: Path) -> str:
    """Return what a child process can open: the path or name as given, or the file that an object is saved to.

    Args:
        model: a path, ``module:function``, or a Keras model.
        scratch: a folder for the saved object.
    """
    if isinstance(model, (str, Path)):
        return str(model)
    if _has_classes_of_this_process(model):
        import keras

        folder = scratch / "model"
        flat = as_functional(model, name_of(model))
        named = dict(zip(flat.output_names, flat.outputs, strict=True))
        whole = keras.Model({tensor.name: tensor for tensor in flat.inputs}, named)
        whole.export(str(folder), verbose=False)  # its graph, which needs no classes
        return str(folder)
    path = scratch / "model.keras"
    model.save(path)
    return str(path)


def _has_classes_of_this_process(model: Any) -> bool:
    """Return whether a child could not import the class of the model or of a layer in it."""
    return any(
        kind.__module__ == "__main__" or "<locals>" in kind.__qualname__
        for kind in map(type, (model, *model._flatten_layers()))
    )


def name_of(model: Any) -> str:
    """Return what a report calls the model: the path, or the class of an object."""
    return printable(model) if isinstance(model, (str, Path)) else type(model).__name__


class SourceModel:
    """An original that is opened when it is first needed."""

    def __init__(
        self,
        source: str,
        name: str,
        *,
        saved: bool,
        trust: bool,
        cache: bool,
        progress: Progress,
        executor: Executor | None = None,
    ) -> None:
        """Looks for what is kept of the model.

        Args:
            source: from ``source_of``.
            name: what the report calls it.
            saved: whether ``source_of`` saved it there just now.
            trust: as for ``load_model``. What a trusted model computes may depend on more than its file,
                so nothing is kept of it.
            cache: whether outputs are kept, and taken from what was kept.
            progress: is called with each step's name as it begins.
            executor: as for ``record_original``.
        """
        self._executor = executor
        self._source, self._name, self._saved, self._trust = source, name, saved, trust
        self._progress = progress
        self._session: Session | None = None
        self._model: Any = None
        kept = cache and output_cache.is_on() and not trust
        self._key = model_key(source, saved=saved) if kept else None

    def inputs(self, scratch: Path) -> tuple[TensorSpec, ...]:
        """The model's inputs; ``scratch`` is a folder that the caller removes."""
        if self._key and (found := output_cache.find(self._key, scratch / "interface")):
            return tuple(from_plain(TensorSpec, spec) for spec in found[0]["inputs"])
        return self.session.inputs

    @property
    def session(self) -> Session:
        """The model, open."""
        if self._session is None:
            self._progress(f"opening {self._name}")
            if format_of(Path(self._source)):
                self._session = open_model(self._source)
            else:
                self._model = load_model(self._source, trust=self._trust)
                self._session = keras_session(self._model, self._source)
        return self._session

    @property
    def model(self) -> Any:
        """The Keras model; None where the original is a file of another kind."""
        assert self.session is not None  # opens both
        return self._model

    def record(self, samples: SampleSplit, scratch: Path) -> Original:
        """Its outputs for the held-out samples, computed or as they were kept."""
        key = self._key and f"{self._key[:32]}-{samples_key(samples)[:32]}"
        if key and (found := output_cache.find(key, scratch / "kept")):
            self._progress(f"taking the outputs of {self._name} from the cache")
            document, recorded = found
            inputs, outputs = (
                tuple(from_plain(TensorSpec, spec) for spec in document[ends])
                for ends in ("inputs", "outputs")
            )
            warnings = (*samples.warnings, *document["warnings"])
            size = size_of(Path(self._source))
            return Original(self._name, self._source, size, inputs, outputs, recorded, warnings)
        original = record_original(
            self.session,
            self.model,
            self._name,
            samples,
            scratch / "original",
            self._progress,
            self._executor,
        )
        if self._key and key and self._can_be_kept():
            ends = {"inputs": to_plain(original.inputs), "outputs": to_plain(original.outputs)}
            own = original.warnings[len(samples.warnings) :]
            output_cache.keep(self._key, ends)
            output_cache.keep(key, {**ends, "warnings": own}, original.recorded)
        return original

    def _can_be_kept(self) -> bool:
        """Whether its content alone decides on its outputs, and is what was hashed before it was opened."""
        same = model_key(self._source, saved=self._saved) == self._key
        return same and is_whole(self._source, self.model)

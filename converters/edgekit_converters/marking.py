"""Words written into a model file itself, which stay with it wherever it is copied."""

from pathlib import Path

from edgekit_converters.tflite import flatbuffer


def mark(path: Path, words: str) -> None:
    """Writes words into a TFLite file's description or an ONNX file's doc string."""
    if path.suffix == ".tflite":
        model = flatbuffer.read(path)
        model.description = words.encode()
        flatbuffer.write(model, path)
    else:
        import onnx

        proto = onnx.load(str(path), load_external_data=False)
        proto.doc_string = words
        onnx.save(proto, str(path))

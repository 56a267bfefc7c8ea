"""ONNX: the float graph with the TFLite file's tensor names, and files in every precision."""

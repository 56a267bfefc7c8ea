"""TFLite: the float graph, its calibration, and files in every precision."""

"""Models run on samples: outputs, latency, predictions."""

"""Why a file differs from its original: layers, error sources, inputs, samples."""

"""Samples of every kind, read one at a time, matched to a model's inputs by name."""

"""Metrics, intervals, limits and verdicts: numbers in, numbers out; no file and no model."""

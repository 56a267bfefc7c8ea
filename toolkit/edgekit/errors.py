"""The root of the toolkit's errors.

Every error that the toolkit raises itself derives from ``EdgekitError`` and lives beside its raiser.
The converters and the runtimes know nothing of the toolkit and keep roots of their own:
``edgekit_converters.ConversionError`` and ``edgekit_runtimes.RuntimesError``.
"""


class EdgekitError(Exception):
    """What the toolkit cannot do, with the reason and the way out."""

"""The errors of the three packages, in one tree each.

```
edgekit.EdgekitError                  the toolkit
    DataError                         samples, a project file or saved outputs that cannot be read or do not fit
    OutputInUse                       another run is writing into the output folder
    OptionError (ValueError)          an option with a value that it cannot take
    SigningError                      a folder or a key that cannot be used to sign
    WorkerError                       the child process died or ran out of time
    ClusterError                      a cluster is not there, is not fit, or is lost
    BoardError                        a board cannot be reached, or lacks what is needed there
        ConnectionLost                the connection to it broke: what was copied stays
edgekit_converters.ConversionError    a model that cannot be converted
    SourceError                       what was named is no model
edgekit_runtimes.RuntimesError        the runtimes
    ModelError                        a file that cannot be opened or run
        SignatureError                a folder that is not what the holder of a key signed
    InputError (ValueError)           arrays that do not fit the model's inputs
    DeviceUnavailable                 a device is not there, or cannot run this file
        RuntimeMissing                a package is not installed; the message has the pip line
        NotDelegated                  the device would not run what was asked of it
```

An error of the toolkit derives from ``EdgekitError`` and lives beside its raiser. The converters and the
runtimes know nothing of the toolkit, so their roots are their own.
"""

import difflib
from collections.abc import Iterable


class EdgekitError(Exception):
    """What the toolkit cannot do, with the reason and the way out."""


class OptionError(EdgekitError, ValueError):
    """An option has a value that it cannot take; the message names both, and the choices."""


def nearest(name: str, known: Iterable[str]) -> str:
    """For an error on a wrong name: the right one that it resembles, in words."""
    matches = difflib.get_close_matches(name, list(known), 1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


def errors() -> tuple[type[Exception], ...]:
    """The three roots: everything that edgekit raises on purpose, for one ``except``.

    Imports the converters and the runtimes, so a caller asks for it where an error is handled.
    """
    from edgekit_converters import ConversionError
    from edgekit_runtimes import RuntimesError

    return EdgekitError, ConversionError, RuntimesError

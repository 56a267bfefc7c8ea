"""Whether this process may crash, because another one waits for it and turns a crash into an error."""

_expendable = False


def crashes_are_caught() -> None:
    """Says so, for as long as the process lasts: files are then opened without a trial."""
    global _expendable
    _expendable = True


def may_crash() -> bool:
    """Whether ``crashes_are_caught`` was called."""
    return _expendable

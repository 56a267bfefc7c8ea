"""What was found of a folder, as a person reads it."""

from math import isfinite

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from edgekit_runtimes.bundle.signature import SIGNATURE
from edgekit_runtimes.bundle.verification import Check, Verified

_STYLES = {"pass": "green", "fail": "bold red", "not run": "yellow"}


def verify_table(verified: Verified) -> RenderableType:
    """A line for each file and device, then what is wrong in words, then the verdict."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("file", "hash", "device", "golden samples"):
        table.add_column(title)
    table.add_column("error, in tolerances", justify="right")
    for name in dict.fromkeys(check.file for check in verified.checks):
        checks = [check for check in verified.checks if check.file == name]
        first = next((_verdict(check) for check in checks if not check.device), Text())
        ran = [check for check in checks if check.device]
        for number, check in enumerate(ran):
            head = (name, first) if number == 0 else ("", "")
            error = "" if check.error is None else _error(check.error)
            table.add_row(*head, check.device, _verdict(check), error)
        if not ran:
            table.add_row(name, first, "", "", "")
    reasons = [Text(_reason(check)) for check in verified.checks if check.reason]
    return Group(table, Text(), *reasons, _end(verified))


def _verdict(check: Check) -> Text:
    return Text(check.verdict, style=_STYLES[check.verdict])


def _error(error: float) -> str:
    return f"{error:.2f}" if isfinite(error) else "not finite"


def _reason(check: Check) -> str:
    named = check.reason if check.file in check.reason else f"{check.file}: {check.reason}"
    return f"on {check.device}: {named}" if check.device else named


def _end(verified: Verified) -> Text:
    word = "pass" if verified.passed else "fail" if verified.failed else "not run"
    if not verified.passed:
        rest = "see above"
    elif not verified.samples:
        rest = "hashes only: there are no golden samples"
    else:
        ran = {check.file for check in verified.checks if check.error is not None}
        others = {check.file for check in verified.checks if check.device} - ran
        rest = f"all hashes, and {verified.samples} golden samples through {len(ran)} files"
        rest += f"; {len(others)} could not be run here" if others else ""
    if verified.passed and any(check.file == SIGNATURE for check in verified.checks):
        rest = f"the signature, {rest}"
    return Text(f"{verified.folder}: {word} ({rest})", style=_STYLES[word])

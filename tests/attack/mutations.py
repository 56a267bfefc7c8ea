"""Files damaged in every way that chance and malice know, always the same for a seed and a number."""

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

Random = random.Random

_SIZES = (
    0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
    0xFFFFFFFE, 0x40000000, 600_000_000, 1 << 40, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
)  # fmt: skip
"""What a damaged or hostile file claims in place of a length, an offset, an index or a shape."""

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 1e308, 10**30, "", "x", "../../etc/passwd", "\0", "é" * 50, [], {},
    [[]], [None], {"x": None}, [1, 2, 3], "NaN", "9" * 40,
)  # fmt: skip
"""What stands in a JSON document in place of what was there."""

_CELLS = (
    "", " ", "nan", "inf", "-inf", "1e999", "0x10", "1_0", "abc", '"', "'", ",", ";", "\n", "\r", "\0",
    "é", "\ufeff", "1,5", "-", "9" * 400, "1" * 5000, '"a', "=1+1",
)  # fmt: skip


def truncate(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    return content[: random.randrange(len(content) + 1)]


def flip(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Changes single bits or bytes."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16, 64))):
        if changed:
            at = _place(changed, random)
            changed[at] ^= random.choice((1 << random.randrange(8), random.randrange(1, 256)))
    return bytes(changed)


def zero(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Overwrites a stretch with zeros, or with ones, as a disk does that lost a block."""
    start = _place(content, random)
    size = random.choice((1, 2, 4, 8, 64, 512, 4096))
    return content[:start] + random.choice((b"\0", b"\xff")) * size + content[start + size :]


def splice(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Puts a piece of another file, or of this one, in, or over what is there."""
    other = random.choice(others)
    begin, size = random.randrange(len(other) + 1), random.choice((1, 4, 16, 64, 1024))
    start = _place(content, random)
    piece = other[begin : begin + size]
    return content[:start] + piece + content[start + random.choice((0, len(piece))) :]


def cut(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Takes a piece out."""
    start = _place(content, random)
    return content[:start] + content[start + random.choice((1, 2, 4, 8, 100, 1000)) :]


def claim(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Writes a size where an integer may stand."""
    width, form = random.choice(((1, "<B"), (2, "<H"), (4, "<I"), (4, "<I"), (4, "<I"), (8, "<Q")))
    value = random.choice((*_SIZES, len(content), random.randrange(64)))
    start = _place(content, random) // min(width, 4) * min(width, 4)
    number = struct.pack(form, value & ((1 << 8 * width) - 1))
    return content[:start] + number + content[start + width :]


BYTES: dict[str, Callable[[bytes, Random, Sequence[bytes]], bytes]] = {
    "truncate": truncate,
    "flip": flip,
    "zero": zero,
    "splice": splice,
    "cut": cut,
    "claim": claim,
}
"""Changes of any file's bytes."""


def of_bytes(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        names = ("flip", "flip", "claim", "claim", "zero", "splice", "cut", "truncate")
        content = BYTES[random.choice(names)](content, random, others)
    return content


def of_archive(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A zip with a damaged member and a right checksum; or with another name, twice, or damaged itself."""
    if random.random() < 0.4:
        return of_bytes(content, random, others)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    written = io.BytesIO()
    victim = random.choice(sorted(members))
    inner = sorted(members.values())
    how = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    with zipfile.ZipFile(written, "w", how) as archive:
        for name, data in members.items():
            if name == victim:
                change = random.randrange(8)
                if change == 0:
                    continue
                if change == 1:
                    name = random.choice(
                        ("x", "../x.npy", "/etc/x.npy", "y.npy", "\\x.npy", "é.npy")
                    )
                elif name.endswith(".json") and change < 6:
                    data = of_json(data, random, inner)
                else:
                    data = of_bytes(data[:200] if random.random() < 0.5 else data, random, inner)
            archive.writestr(name, data)
    return written.getvalue()


def of_json(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A document with another value somewhere, or without it; or with damaged bytes."""
    if random.random() < 0.3:
        return of_bytes(content, random, others)
    try:
        document = json.loads(content)
    except ValueError:
        return of_bytes(content, random, others)
    if random.random() < 0.03:
        return b"[" * 100_000
    holder, key = document, None
    while isinstance(holder, (dict, list)) and holder:
        key = random.choice(sorted(holder) if isinstance(holder, dict) else range(len(holder)))
        below = holder[key]  # type: ignore[index, call-overload]
        if not isinstance(below, (dict, list)) or not below or random.random() < 0.2:
            break
        holder = below
    if key is None:
        return of_bytes(content, random, others)
    if random.random() < 0.2:
        del holder[key]  # type: ignore[union-attr, arg-type]
    else:
        holder[key] = random.choice(_VALUES)  # type: ignore[index, call-overload]
    return json.dumps(document).encode()


def of_table(content: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """A table with another cell, line or header; or with damaged bytes."""
    if random.random() < 0.3:
        return of_bytes(content, random, others)
    lines = content.decode().splitlines()
    at = random.choice((0, random.randrange(len(lines))))
    cells = lines[at].split(",")
    cells[random.randrange(len(cells))] = random.choice(_CELLS)
    change = random.randrange(5)
    if change == 0:
        cells = cells[: random.randrange(len(cells))]
    elif change == 1:
        cells += ["1"] * random.choice((1, 1000))
    elif change == 2:
        lines.insert(at, random.choice(("", ",", "#", '"', ",".join(cells))))
    lines[at] = ",".join(cells)
    text = random.choice(("\n", "\n", "\r\n", "\r")).join(lines)
    return text.encode(random.choice(("utf-8", "utf-8", "utf-16", "latin-1")), "replace")


def mutant(
    change: Callable[[bytes, Random, Sequence[bytes]], bytes],
    files: Sequence[bytes],
    seed: int,
    number: int,
) -> bytes:
    """The damaged file of a number: of one of ``files``, with pieces of the others."""
    chance = random.Random(f"{seed} {number}")
    return change(chance.choice(files), chance, files)


def _place(content: Sequence[int], random: Random) -> int:
    """A position: half of them in the first and the last kilobyte, where headers and tables stand."""
    size = max(len(content), 1)
    if random.random() < 0.5:
        return random.randrange(size)
    near = random.randrange(min(size, 1024))
    return near if random.random() < 0.6 else size - 1 - near

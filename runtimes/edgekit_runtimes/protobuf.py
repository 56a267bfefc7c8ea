"""Protocol Buffers' wire format, as far as ``.onnx`` files need it."""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def field(number: int, content: bytes) -> bytes:
    """The bytes of a field that holds a message or a text."""
    head, size = b"", len(content)
    for value in (number << 3 | _BYTES, size):
        while value > 0x7F:
            head, value = head + bytes([value & 0x7F | 0x80]), value >> 7
        head += bytes([value])
    return head + content


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number, and the integer or the bytes."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, at = varint(message, at)
            yield number, value
        elif wire == _BYTES:
            size, at = varint(message, at)
            if at + size > len(message):
                raise ValueError("the message is cut short")
            yield number, message[at : at + size]
            at += size
        elif wire in (_FIXED64, _FIXED32):
            at += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}: this is no Protocol Buffers message")


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """The integer at a position, and the position behind it."""
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def varints(message: memoryview) -> Iterator[int]:
    """The integers of a packed field."""
    at = 0
    while at < len(message):
        value, at = varint(message, at)
        yield value

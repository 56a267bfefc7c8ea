"""Protocol Buffers' wire format, as far as ``.onnx`` files need it."""

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LONGEST = 63  # bits before the last byte of an integer


def field(number: int, content: bytes) -> bytes:
    """The bytes of a field that holds a message, a text or packed integers."""
    return as_varint(number << 3 | _BYTES) + as_varint(len(content)) + content


def integer_field(number: int, value: int) -> bytes:
    """The bytes of a field that holds an integer of 0 or more."""
    return as_varint(number << 3 | _VARINT) + as_varint(value)


def as_varint(value: int) -> bytes:
    """The bytes of an integer of 0 or more."""
    content = b""
    while value > 0x7F:
        content, value = content + bytes([value & 0x7F | 0x80]), value >> 7
    return content + bytes([value])


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number, and the integer or the bytes."""
    for number, value, _ in placed_fields(message):
        yield number, value


def placed_fields(message: memoryview) -> Iterator[tuple[int, int | memoryview, int]]:
    """The fields of a message: number, the integer or the bytes, and where in the message they begin."""
    at = 0
    while at < len(message):
        key, at = message[at], at + 1
        if key > 0x7F:
            key, at = varint(message, at - 1)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            start = at
            value, at = varint(message, at)
            yield number, value, start
        elif wire == _BYTES:
            size, at = message[at], at + 1
            if size > 0x7F:  # most are of one byte, and a call for each takes its time
                size, at = varint(message, at - 1)
            if at + size > len(message):
                raise ValueError("the message is cut short")
            yield number, message[at : at + size], at
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
        if shift > _LONGEST:
            raise ValueError("an integer of more than 64 bits: this is no Protocol Buffers message")


def varints(message: memoryview) -> Iterator[int]:
    """The integers of a packed field."""
    at = 0
    while at < len(message):
        value, at = varint(message, at)
        yield value

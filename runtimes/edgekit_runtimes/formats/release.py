"""Versions of packages, as numbers that compare as versions do."""


def release(version: str) -> tuple[int, ...]:
    """A version as numbers, which compare as versions do; what follows the numbers is left out.

    >>> release("1.17.3") > release("1.9") > release("1.9rc1") == release("1.9")
    False
    """
    numbers = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        numbers.append(int(digits or 0))
        if digits != part:
            break
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)

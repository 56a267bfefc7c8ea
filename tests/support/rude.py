"""Clients that no server deserves: ``python -m support.rude URL MODEL SECONDS``.

One sends noise ten times a second, one a byte a second, and one leaves each second before its answer comes.
"""

import contextlib
import random
import socket
import sys
import threading
from time import monotonic, sleep
from urllib.parse import urlsplit

from support.load import request_for


def rude(url: str, model: str, seconds: float) -> None:
    """Be rude in all ways at once."""
    parts = urlsplit(url)
    address, request = (parts.hostname or "", parts.port or 80), request_for(url, model, "binary")
    end = monotonic() + seconds

    def noise() -> None:
        while monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(address, 5) as link:
                link.sendall(random.randbytes(1000))
            sleep(0.1)

    def a_byte_a_second() -> None:
        while monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(address, 5) as link:
                for byte in request:
                    link.sendall(bytes([byte]))
                    sleep(1)
                    if monotonic() > end:
                        break

    def farewell() -> None:
        while monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(address, 5) as link:
                link.sendall(request)
            sleep(1)  # what it asked for is run: more of it would be load, and not rudeness

    threads = [threading.Thread(target=way) for way in (noise, a_byte_a_second, farewell)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    rude(sys.argv[1], sys.argv[2], float(sys.argv[3]))

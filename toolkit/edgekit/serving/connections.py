"""Connections that must say what they want within a time."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def patient_for(seconds: float) -> type[HttpToolsProtocol]:
    """The protocol of uvicorn, which closes a connection whose request headers take longer than so many seconds.

    uvicorn itself waits without end for the rest of a header that has begun to arrive.
    """

    class Patient(HttpToolsProtocol):
        late: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._expect()

        def data_received(self, data: bytes) -> None:
            before = self.cycle
            if (before is None or before.response_complete) and self.late is None:
                self._expect()
            super().data_received(data)
            if self.cycle is not before:
                self._cancel()

        def connection_lost(self, exc: Exception | None) -> None:
            self._cancel()
            super().connection_lost(exc)

        def _expect(self) -> None:
            self.late = self.loop.call_later(seconds, self._give_up)

        def _cancel(self) -> None:
            if self.late is not None:
                self.late.cancel()
                self.late = None

        def _give_up(self) -> None:
            self.late = None
            if not self.transport.is_closing():
                self.transport.close()

    return Patient

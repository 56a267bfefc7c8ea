"""The files and the clients' answers, made once a run."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from support.once import once

from clients.files import write_files
from clients.programs import Answers, Client, ask, installed_clients
from clients.table import write_tables

Ask = Callable[[Client], Answers]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, forked_workers: object) -> Path:
    """Every small model of the matrix in both formats, float32 and int8; read only."""
    return once(tmp_path_factory, "clients", write_files)


@pytest.fixture(scope="session")
def answers(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Asks a client, the first time; ``CLIENTS_TABLE`` names a page whose tables are written at the end."""
    folder = tmp_path_factory.mktemp("answers")

    @cache
    def asked(client: Client) -> Answers:
        return ask(client, files, folder / client.name)

    yield asked
    if page := os.environ.get("CLIENTS_TABLE"):
        write_tables(Path(page), files, {c.name: asked(c) for c in installed_clients()})

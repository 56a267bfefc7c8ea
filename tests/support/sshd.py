"""A real SSH server on this machine, for one user, with a home folder of its own: a board to push to."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import join

import pytest

_SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
_SFTP = "/usr/lib/openssh/sftp-server"
_PROGRAMS = {"sshd": _SSHD, "ssh": shutil.which("ssh"), "ssh-keygen": shutil.which("ssh-keygen")}


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; its folder has the board's home, and the keys of both sides."""

    folder: Path
    port: int

    @property
    def home(self) -> Path:
        """The home folder on the board."""
        return self.folder / "home"

    @property
    def address(self) -> str:
        """As a user types it, without a path."""
        return f"ssh://127.0.0.1:{self.port}"

    def know(self, port: int | None = None) -> None:
        """Makes the host's key known to the client, also under another port."""
        key = (self.folder / "host_key.pub").read_text()
        with (self.folder / "known_hosts").open("a") as known:
            known.write(f"[127.0.0.1]:{port or self.port} {key}")


def start_sshd(
    folder: Path, shell: Sequence[str] = ("sh", "-c")
) -> tuple[Server, "subprocess.Popen[bytes]"]:
    """Starts a server whose commands ``shell`` runs, or skips the test where there is none."""
    if lacking := [name for name, path in _PROGRAMS.items() if path is None]:
        pytest.skip(f"no {', '.join(lacking)}: apt-get install openssh-server openssh-client")
    if os.getuid() == 0 and not Path("/run/sshd").is_dir():
        pytest.skip("sshd of root needs the folder /run/sshd: mkdir -m 755 /run/sshd")
    for key in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key]
        subprocess.run(command, check=True)
    server = Server(folder, _free_port())
    server.home.mkdir()
    (folder / "login").write_text(
        f"#!/bin/sh\ncd {server.home} && HOME={server.home} && export HOME\n"
        f'case "$SSH_ORIGINAL_COMMAND" in *sftp-server) exec {_SFTP} ;; esac\n'
        f'exec {join(shell)} "$SSH_ORIGINAL_COMMAND"\n'
    )
    (folder / "login").chmod(0o755)
    (folder / "sshd_config").write_text(
        f"Port {server.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\n"
        f"AuthorizedKeysFile {folder}/user_key.pub\nStrictModes no\nUsePAM no\nPidFile none\n"
        f"Subsystem sftp {_SFTP}\nPasswordAuthentication no\nForceCommand {folder}/login\nMaxStartups 100\n"
    )
    (folder / "ssh_config").write_text(
        f"IdentityFile {folder}/user_key\nIdentitiesOnly yes\nUserKnownHostsFile {folder}/known_hosts\n"
        "GlobalKnownHostsFile /dev/null\n"
        f"Host raspberrypi.local\n  HostName 127.0.0.1\n  Port {server.port}\n"
    )
    _client(folder)
    log = (folder / "sshd.log").open("wb")
    process = subprocess.Popen([str(_SSHD), "-D", "-e", "-f", folder / "sshd_config"], stderr=log)
    log.close()
    for _ in range(100):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", server.port)) == 0:
                server.know()
                return server, process
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    pytest.skip(f"sshd does not start here: {(folder / 'sshd.log').read_text()}")


def _client(folder: Path) -> None:
    """``ssh`` and ``scp`` with this folder's keys, for whoever has its ``bin`` first on the path.

    They take their configuration from the password file's home folder, whatever HOME is.
    """
    (folder / "bin").mkdir()
    for name in ("ssh", "scp"):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {shutil.which(name)} -F {folder}/ssh_config "$@"\n')
        script.chmod(0o755)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

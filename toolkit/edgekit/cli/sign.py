"""``edgekit sign``: a signature for a folder that ships."""

from pathlib import Path

import click

from edgekit.cli.console import errors, say


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="KEY",
    required=True,
    help="The private key: a PEM file, on the curve P-256, P-384 or P-521.",
)
def sign(folder: Path, key: Path) -> None:
    """Sign all files of a folder DIR that convert made.

    The signature is DIR/model.sig, in the OpenSSF Model Signing format. EDGEKIT_KEY_PASSWORD in the
    environment is the password of an encrypted key. On the device, `edgekit verify DIR --key PUB` and
    open_model(DIR, key=PUB) refuse a folder that is not, file for file, what was signed.
    """
    with errors():
        from edgekit.bundle.sign import sign as sign_folder
        from edgekit_runtimes.bundle.signature import SIGNATURE

        signed = sign_folder(folder, key)
        say(f"{folder / SIGNATURE}: signs {len(signed.files)} files of {folder}")

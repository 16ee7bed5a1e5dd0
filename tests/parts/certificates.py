"""A certificate authority of the tests, and what it signs: as files, which is how programs want them."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificate


@dataclass(frozen=True)
class Pair:
    """A certificate with its chain, and its key: in two files, and both in a third."""

    certificate: Path
    key: Path
    both: Path

    @property
    def files(self) -> tuple[Path, Path]:
        return self.certificate, self.key

    @property
    def serial(self) -> str:
        """The certificate's number, as `getpeercert` has it."""
        number = load_pem_x509_certificate(self.certificate.read_bytes()).serial_number
        return f"{number:X}".zfill(len(f"{number:X}") + len(f"{number:X}") % 2)

    def lock_key(self, file: Path) -> Path:
        """Write the key into a file, behind a passphrase."""
        key = load_pem_private_key(self.key.read_bytes(), None)
        file.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"passphrase"))
        )
        return file

    def server_context(self, clients: Path | None = None) -> ssl.SSLContext:
        """What a server of the tests itself needs to speak TLS; it asks for a certificate of `clients`."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self.files)
        if clients is not None:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context


class Authority:
    """Signs certificates, for hosts and for clients."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ca = trustme.CA()
        self._issued = 0
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, *names: str, ended: bool = False) -> Pair:
        """Sign a certificate for these host names, addresses or clients; `ended` is one of yesterday."""
        self._issued += 1
        stem = self._folder / f"{self._issued}"
        end = datetime.now(UTC) - timedelta(days=1) if ended else None
        issued = self._ca.issue_cert(*names, not_after=end)
        pair = Pair(stem.with_suffix(".crt"), stem.with_suffix(".key"), stem.with_suffix(".pem"))
        for number, part in enumerate(issued.cert_chain_pems):
            part.write_to_path(pair.certificate, append=number > 0)
        issued.private_key_pem.write_to_path(pair.key)
        issued.private_key_and_cert_chain_pem.write_to_path(pair.both)
        return pair

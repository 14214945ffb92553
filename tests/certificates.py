"""Certificates for tests: an authority, and what it signs for a server or a client. Keys are made here and worth nothing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

LOOPBACK = x509.IPAddress(ip_address("127.0.0.1"))


class Authority:
    """Signs certificates and writes them below a folder, as PEM."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key, self._name = ec.generate_private_key(ec.SECP256R1()), _named([(NameOID.COMMON_NAME, name)])
        made = _builder(self._name, self._name, self._key.public_key(), timedelta(days=1))
        held = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(self._key, hashes.SHA256())
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(held.public_bytes(serialization.Encoding.PEM))

    def signed(
        self,
        file: str,
        subject: Sequence[tuple[x509.ObjectIdentifier, str]],
        others: Sequence[x509.GeneralName] = (),
        valid: timedelta = timedelta(days=1),
    ) -> tuple[Path, Path]:
        """(certificate, key) of a subject with other names. It is valid from an hour ago, for `valid` from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder(_named(subject), self._name, key.public_key(), valid)
        if others:
            made = made.add_extension(x509.SubjectAlternativeName(others), critical=not subject)
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        cert_file, key_file = self._folder / f"{file}.pem", self._folder / f"{file}.key"
        cert_file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        return cert_file, key_file


def _named(subject: Sequence[tuple[x509.ObjectIdentifier, str]]) -> x509.Name:
    return x509.Name([x509.NameAttribute(kind, value) for kind, value in subject])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, valid: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
    return made.not_valid_before(now - timedelta(hours=1)).not_valid_after(now + valid)

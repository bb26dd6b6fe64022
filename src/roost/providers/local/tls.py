"""One certificate for all Dask processes and clients of one name.

As ``distributed.security.Security.temporary`` does it, the certificate is its own authority: who
holds the key (mode 0600, this user) is in. An elliptic key, because making one takes no time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from roost.home import write_private

YEARS_VALID = 10


def create(folder: Path) -> None:
    """Write ``ca.pem``, ``cert.pem`` and ``key.pem`` (0600) into ``folder``, if one is missing."""
    if all((folder / file).exists() for file in ("ca.pem", "cert.pem", "key.pem")):
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key = _make()
    write_private(folder / "key.pem", key)
    write_private(folder / "cert.pem", certificate)
    write_private(folder / "ca.pem", certificate)


def _make() -> tuple[str, str]:
    """Return a self-signed certificate and its key, both PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "roost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("roost")]), critical=False)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # the clocks of machines differ
        .not_valid_after(now + timedelta(days=365 * YEARS_VALID))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()

"""The listener's certificate: used, renewed without a restart, and kept when a renewal cannot be read."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from controller.server import Listener, health_routes
from controller.settings import Address
from controller.tls import Certificate, TlsError


def write_certificate(folder: Path, name: str) -> None:
    """A self-signed certificate and its key, as Kubernetes mounts them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    (folder / "tls.crt").write_bytes(builder.sign(key, SHA256()).public_bytes(Encoding.PEM))
    (folder / "tls.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@asynccontextmanager
async def serving(certificate: Certificate) -> AsyncIterator[int]:
    listener = Listener(Address("127.0.0.1", 0), health_routes({}, {}), tls=certificate.context)
    await listener.start()
    try:
        assert listener.port is not None
        yield listener.port
    finally:
        await listener.stop()


async def name_shown(port: int) -> str:
    """The name on the certificate that a new connection sees."""
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=anybody)
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return x509.load_der_x509_certificate(der).subject.rfc4514_string()


async def test_a_renewed_certificate_is_shown_to_the_next_connection(tmp_path: Path) -> None:
    write_certificate(tmp_path, "first")
    async with serving(Certificate(tmp_path)) as port:
        assert await name_shown(port) == "CN=first"
        write_certificate(tmp_path, "second")
        assert await name_shown(port) == "CN=second"


async def test_a_renewal_that_cannot_be_read_leaves_the_old_certificate(tmp_path: Path) -> None:
    write_certificate(tmp_path, "first")
    async with serving(Certificate(tmp_path)) as port:
        (tmp_path / "tls.crt").write_text("half a certificate")
        assert await name_shown(port) == "CN=first"
        (tmp_path / "tls.key").unlink()
        assert await name_shown(port) == "CN=first"


def test_a_folder_without_a_certificate_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(TlsError, match=str(tmp_path)):
        Certificate(tmp_path)

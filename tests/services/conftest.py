"""What several of the tests share: a browser, and servers of objects."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.corpora import missing

from .object_servers import run_folder, shared, start_azurite, start_fake_gcs, start_moto, start_seaweed

# The root of CI's containers has no sandbox; WebGL is drawn by the processor.
ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if importlib.util.find_spec("playwright") is None:
        missing("playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing("Chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser without a history."""
    context = browser.new_context(viewport={"width": 800, "height": 600})
    yield context
    context.close()


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of SeaweedFS."""
    with shared(run_folder(tmp_path_factory) / "seaweed", start_seaweed) as told:
        yield told["url"]


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of moto's server."""
    with shared(run_folder(tmp_path_factory) / "moto", start_moto) as told:
        yield told["url"]


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Azurite."""
    with shared(run_folder(tmp_path_factory) / "azurite", start_azurite) as told:
        yield told["url"]


@pytest.fixture(scope="session")
def fake_gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of fake-gcs-server."""
    if importlib.util.find_spec("google.cloud.storage") is None:
        missing("google-cloud-storage is not installed")
    with shared(run_folder(tmp_path_factory) / "fake-gcs", start_fake_gcs) as told:
        yield told["url"]


@pytest.fixture
def certificates(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, with its key, and the one to be trusted that signs it."""
    if importlib.util.find_spec("cryptography") is None:
        missing("cryptography is not installed")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.now(UTC)

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])

    def signed(name: str, extension: x509.ExtensionType, own: Any, signer: Any) -> bytes:
        builder = x509.CertificateBuilder(
            named("root"), named(name), own.public_key(), x509.random_serial_number(),
            now - timedelta(hours=1), now + timedelta(hours=1), [],
        )  # fmt: skip
        # RFC 5280 section 4.2.1: without these Python takes none from 3.13 on.
        for more in (
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
            x509.SubjectKeyIdentifier.from_public_key(own.public_key()),
            x509.KeyUsage(
                digital_signature=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=own is signer,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
        ):
            builder = builder.add_extension(more, critical=isinstance(more, x509.KeyUsage))
        certificate = builder.add_extension(extension, critical=True).sign(signer, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM)

    root, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    host = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    key = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "own.pem").write_bytes(key + signed("host", host, own, root))
    (tmp_path / "root.pem").write_bytes(signed("root", x509.BasicConstraints(ca=True, path_length=None), root, root))
    return tmp_path / "own.pem", tmp_path / "root.pem"

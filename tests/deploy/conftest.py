"""Shared fixtures: a certificate, as the files name one."""

from pathlib import Path

import pytest

from tests.protocol.real import Certificate, make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed one for 127.0.0.1, with its key."""
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def certificate_with_key(certificate: Certificate) -> Path:
    """Both in one file, as haproxy wants them."""
    both = certificate.cert.with_name("both.pem")
    both.write_bytes(certificate.cert.read_bytes() + certificate.key.read_bytes())
    return both

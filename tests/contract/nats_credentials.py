"""Credentials as `nsc` makes them: an operator who vouches for an account, which vouches for a user."""

import json
from base64 import b32encode, urlsafe_b64encode
from pathlib import Path
from typing import Any, Final

import nkeys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

OPERATOR: Final = 14  # the kinds of keys: with which letter of base32 their names begin
ACCOUNT: Final = 0
USER: Final = 20
SEED: Final = 18
LIMITS: Final = ("subs", "data", "payload", "imports", "exports", "conn", "leaf")
UNLIMITED: Final = dict.fromkeys(LIMITS, -1) | {"wildcards": True}


def write_credentials(directory: Path) -> tuple[Path, Path]:
    """Writes the configuration of a server that trusts a new operator, and the credentials of a user."""
    operator, account, user = (_new_key(kind) for kind in (OPERATOR, ACCOUNT, USER))
    account_jwt = _jwt(operator, account, {"type": "account", "version": 2, "limits": UNLIMITED})
    user_jwt = _jwt(account, user, {"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1})
    config, credentials = directory / "nats.conf", directory / "user.creds"
    config.write_text(
        f'operator: "{_jwt(operator, operator, {"type": "operator", "version": 2})}"\n'
        f'resolver: MEMORY\nresolver_preload: {{ {_name(account)}: "{account_jwt}" }}\n'
    )
    credentials.write_text(
        f"-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed.decode()}\n------END USER NKEY SEED------\n"
    )
    return config, credentials


def _new_key(kind: int) -> nkeys.KeyPair:
    raw = Ed25519PrivateKey.generate().private_bytes_raw()
    head = bytes([SEED << 3 | kind << 3 >> 5, (kind << 3 & 31) << 3])
    return nkeys.from_seed(bytearray(_checked(head + raw)))


def _checked(raw: bytes) -> bytes:
    remainder = 0  # CRC-16/XMODEM
    for byte in raw:
        remainder ^= byte << 8
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x1021 if remainder & 0x8000 else 0)) & 0xFFFF
    return b32encode(raw + remainder.to_bytes(2, "little")).rstrip(b"=")


def _name(key: nkeys.KeyPair) -> str:
    name: bytes = key.public_key
    return name.decode()


def _jwt(issuer: nkeys.KeyPair, subject: nkeys.KeyPair, claims: dict[str, Any]) -> str:
    def part(data: bytes) -> bytes:
        return urlsafe_b64encode(data).rstrip(b"=")

    body = {"iat": 1, "iss": _name(issuer), "jti": "test", "name": "test", "sub": _name(subject), "nats": claims}
    signed = part(json.dumps({"typ": "JWT", "alg": "ed25519-nkey"}).encode()) + b"." + part(json.dumps(body).encode())
    return (signed + b"." + part(issuer.sign(signed))).decode()

"""Signatures: HMAC and RSA, of REST calls and of socket logins.

Source: Bybit V5, "Integration Guidance" and "WebSocket / Connect".

What is signed is the text that goes over the wire, byte for byte: sign last, change nothing after.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Callable
from typing import Final, NoReturn

from bybitd.venue import control
from bybitd.venue.errors import KeyFormatError

_PEM: Final = "-----BEGIN "


class Key:
    """An API key and the means to sign with it.

    The secret is an HMAC secret, or an RSA private key as unencrypted PEM text. It is in no
    attribute, representation or pickle of this object.
    """

    __slots__ = ("_sign", "api_key")

    def __init__(self, api_key: str, secret: str) -> None:
        """Take a key. Spaces and line ends around both are not part of them.

        Raises:
            KeyFormatError: one is empty or not plain text, or the PEM is no usable RSA key.
        """
        self.api_key = api_key.strip()
        secret = secret.strip()
        if not self.api_key or not self.api_key.isascii() or not self.api_key.isprintable():
            raise KeyFormatError("the API key is empty or is no plain text")
        if not secret or not secret.isascii():
            raise KeyFormatError("the API secret is empty or is no plain text")
        self._sign = _rsa(secret) if secret.startswith(_PEM) else _hmac(secret)

    def sign(self, text: str) -> str:
        """Return the signature: lower-case hex for HMAC, base64 for RSA."""
        return self._sign(text.encode())

    def __repr__(self) -> str:
        return f"Key({self.api_key[:4]}...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("an API key is not pickled")


def rest_headers(
    key: Key, payload: str, *, timestamp_ms: int, recv_window_ms: int
) -> dict[str, str]:
    """Return the headers that authenticate one REST call.

    `payload` is the query string as sent (percent-encoded, without `?`) of a GET, or the body of a
    POST. `timestamp_ms` is the exchange's time: 1 s ahead of it is refused already.
    """
    timestamp, window = str(timestamp_ms), str(recv_window_ms)
    return {
        "X-BAPI-API-KEY": key.api_key,
        "X-BAPI-TIMESTAMP": timestamp,
        "X-BAPI-RECV-WINDOW": window,
        "X-BAPI-SIGN": key.sign(f"{timestamp}{key.api_key}{window}{payload}"),
    }


def socket_auth(key: Key, expires_ms: int) -> bytes:
    """Return the frame that logs a private or trade socket in.

    `expires_ms` must lie in the future of the exchange's clock: 5 s and more are safe.
    """
    return control.auth(key.api_key, expires_ms, key.sign(f"GET/realtime{expires_ms}"))


def _hmac(secret: str) -> Callable[[bytes], str]:
    # The key schedule is made once; a copy of it costs less than half of a new one.
    prepared = hmac.new(secret.encode(), digestmod=hashlib.sha256)

    def sign(text: bytes) -> str:
        mac = prepared.copy()
        mac.update(text)
        return mac.hexdigest()

    return sign


def _rsa(pem: str) -> Callable[[bytes], str]:
    # Imported only where an RSA key is used: it costs 10 MB and most keys are HMAC.
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The cause may quote the key: it is not chained.
        raise KeyFormatError("the API secret is no unencrypted PEM private key") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise KeyFormatError("the API secret is a private key, but no RSA key")

    def sign(text: bytes) -> str:
        signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
        return b64encode(signature).decode()

    return sign

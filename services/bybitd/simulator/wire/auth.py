"""Who is calling: signatures and time windows, checked for real and without any I/O.

Sources: Bybit V5 "Integration guidance" (REST signature, recv_window) and WebSocket "Connect"
(authentication).
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bybitd.simulator.exchange import ApiKey
from bybitd.simulator.refusal import Refusal

DEFAULT_RECV_WINDOW_MS = 5_000
# A timestamp from the future is refused already at one second.
FUTURE_TOLERANCE_MS = 1_000

PERMISSION_DENIED = "Permission denied, please check your API key permissions."


class Verifier(Protocol):
    """Check a signature over `text`."""

    def __call__(self, text: bytes, signature: str) -> bool: ...


class HmacVerifier:
    """HMAC-SHA256 in lower-case hex, the usual kind of key."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()

    def __call__(self, text: bytes, signature: str) -> bool:
        expected = hmac.new(self._secret, text, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signature.encode())


class RsaVerifier:
    """RSA-SHA256 (PKCS #1 v1.5) in base64; the exchange knows only the public key.

    Raises ValueError when that is no RSA public key in PEM.
    """

    __slots__ = ("_verify",)

    def __init__(self, pem: str) -> None:
        # Imported only where somebody uses such a key: it costs 10 MB.
        from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding, rsa
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        try:
            key = load_pem_public_key(pem.encode())
        except UnsupportedAlgorithm as error:
            raise ValueError(str(error)) from None
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError("it is a public key, but no RSA key")

        def verify(text: bytes, signature: str) -> bool:
            try:
                raw = base64.b64decode(signature, validate=True)
                key.verify(raw, text, padding.PKCS1v15(), hashes.SHA256())
            except (InvalidSignature, ValueError):
                return False
            return True

        self._verify = verify

    def __call__(self, text: bytes, signature: str) -> bool:
        return self._verify(text, signature)


def verifier(secret: str) -> Verifier:
    """Return the way to check what a key signed. Raises ValueError for an unusable public key."""
    return RsaVerifier(secret) if secret.startswith("-----BEGIN ") else HmacVerifier(secret)


@dataclass(frozen=True, slots=True)
class Credential:
    """An API key with the way to verify what it signed; an RSA key differs in its verifier."""

    key: str
    uid: int
    readonly: bool
    withdraws: bool
    verify: Verifier


class KeyRing:
    """The API keys that the exchange knows."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._credentials = {
            k.key: Credential(k.key, k.uid, k.readonly, k.withdraws, verifier(k.secret))
            for k in keys
        }

    def socket_login(self, args: Any, now_ms: int) -> Credential:
        """Check the args of an `auth` operation: `[key, expires ms, signature]`.

        Raises Refusal: 10001 malformed or expired, 10003 unknown key, 10004 wrong signature.
        """
        match args:
            case [str(key), int(expires) | str(expires), str(signature)]:
                pass
            case _:
                raise Refusal(10001, "Params Error")
        expires_ms = _milliseconds(expires)
        if expires_ms is None or expires_ms <= now_ms:
            raise Refusal(10001, "Params Error")
        credential = self._find(key)
        if not credential.verify(f"GET/realtime{expires}".encode(), signature):
            raise Refusal(10004, "Error sign, please check your signature generation algorithm.")
        return credential

    def rest_login(self, headers: Mapping[str, str], payload: bytes, now_ms: int) -> Credential:
        """Check the `X-BAPI-*` headers of a request; `payload` is the raw query or the raw body.

        `headers` must be case-insensitive. Raises MissingHeaders, or Refusal: 10002 outside the
        window, 10003 unknown key, 10004 wrong signature.
        """
        key, timestamp, signature = (
            headers.get(f"X-BAPI-{name}", "") for name in ("API-KEY", "TIMESTAMP", "SIGN")
        )
        if not (key and timestamp and signature):
            raise MissingHeaders
        window = headers.get("X-BAPI-RECV-WINDOW", "")
        check_window(timestamp, window, now_ms)
        credential = self._find(key)
        origin = f"{timestamp}{key}{window}".encode() + payload
        if not credential.verify(origin, signature):
            shown = origin.decode("utf-8", "replace")
            raise Refusal(10004, f"error sign! origin_string[{shown}]")
        return credential

    def _find(self, key: str) -> Credential:
        credential = self._credentials.get(key)
        if credential is None:
            raise Refusal(10003, "API key is invalid.")
        return credential


class MissingHeaders(Exception):
    """A signed endpoint was called without its signature headers: HTTP 401."""


def check_window(timestamp: Any, window: Any, now_ms: int) -> None:
    """Accept iff `now - window <= timestamp < now + 1000`; raise Refusal 10002 or 10001.

    Both may be text or numbers; an absent window is 5,000 ms.
    """
    sent_ms = _milliseconds(timestamp)
    window_ms = DEFAULT_RECV_WINDOW_MS if window in ("", None) else _milliseconds(window)
    if sent_ms is None or window_ms is None:
        raise Refusal(10001, "Params Error")
    if not now_ms - window_ms <= sent_ms < now_ms + FUTURE_TOLERANCE_MS:
        raise Refusal(
            10002,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{sent_ms}],server_timestamp[{now_ms}],recv_window[{window_ms}]",
        )


def _milliseconds(value: Any) -> int | None:
    """Read a non-negative count of ms from text or a number; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) < 20):
        return None
    number = int(value)
    return number if number >= 0 else None


def parse_active_time(query: Sequence[tuple[str, str]], default_s: float) -> float:
    """Read `max_active_time` (`30s` ... `600s`, `1m` ... `10m`) from a socket's query parameters.

    Values that cannot be read, or lie outside, leave the default; the exchange says nothing either.
    """
    for name, text in query:
        if name != "max_active_time":
            continue
        digits, unit = text[:-1], text[-1:]
        if digits.isascii() and digits.isdigit() and unit in ("s", "m"):
            seconds = int(digits) * (60 if unit == "m" else 1)
            if 30 <= seconds <= 600:
                return float(seconds)
    return default_s

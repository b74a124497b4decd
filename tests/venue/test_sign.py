from __future__ import annotations

import base64
import hashlib
import hmac
import pickle

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from bybitd.venue.errors import KeyFormatError
from bybitd.venue.sign import Key, rest_headers, socket_auth

SECRET = "s3cr3tOfNobody"


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, password: bytes | None = None) -> str:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def expected(text: str) -> str:
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_hmac_agrees_with_a_published_vector() -> None:
    # RFC 4231, test case 2.
    mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    key = Key("k", "Jefe")
    assert key.sign("what do ya want for nothing?") == mac
    assert key.sign("what do ya want for nothing?") == mac


def test_rest_is_signed_over_time_key_window_and_the_payload_as_it_is_sent() -> None:
    payload = "category=spot&cursor=a%3D1%26b"
    headers = rest_headers(
        Key("apiKEY", SECRET), payload, timestamp_ms=1790000000123, recv_window_ms=5000
    )
    assert headers == {
        "X-BAPI-API-KEY": "apiKEY",
        "X-BAPI-TIMESTAMP": "1790000000123",
        "X-BAPI-RECV-WINDOW": "5000",
        "X-BAPI-SIGN": expected(f"1790000000123apiKEY5000{payload}"),
    }


def test_a_socket_login_is_signed_over_its_expiry() -> None:
    frame = msgspec.json.decode(socket_auth(Key("apiKEY", SECRET), 1790000005000))
    signature = expected("GET/realtime1790000005000")
    assert frame == {"op": "auth", "args": ["apiKEY", 1790000005000, signature]}


def test_an_rsa_signature_is_what_the_public_key_confirms(rsa_key: rsa.RSAPrivateKey) -> None:
    signature = base64.b64decode(Key("k", pem(rsa_key)).sign("text"))
    public = rsa_key.public_key()
    public.verify(signature, b"text", padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(InvalidSignature):
        public.verify(signature, b"texT", padding.PKCS1v15(), hashes.SHA256())


def test_a_key_never_shows_its_secret() -> None:
    key = Key("apiKEY", SECRET)
    shown = f"{key!r} {key} {[key]} {key._sign!r}"
    assert SECRET not in shown
    assert "apiKEY" not in shown
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)


def test_spaces_round_a_key_from_a_file_are_not_part_of_it() -> None:
    assert Key(" k\n", f"{SECRET}\n").sign("x") == expected("x")


def test_a_key_that_can_not_sign_is_refused_without_showing_it(rsa_key: rsa.RSAPrivateKey) -> None:
    broken = "-----BEGIN PRIVATE KEY-----\nbm9uc2Vuc2U=\n-----END PRIVATE KEY-----"
    elliptic = pem(ec.generate_private_key(ec.SECP256R1()))
    for api_key, secret in [
        ("", SECRET),
        ("k", " \n"),
        ("k", "sécret"),
        ("a\nb", SECRET),
        ("k", broken),
        ("k", elliptic),
        ("k", pem(rsa_key, b"password")),
    ]:
        with pytest.raises(KeyFormatError) as caught:
            Key(api_key, secret)
        assert not secret.strip() or secret.strip() not in str(caught.value)
        assert caught.value.__cause__ is None

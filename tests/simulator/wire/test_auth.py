"""Signatures and windows are checked for real."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from bybitd.simulator.exchange import ApiKey
from bybitd.simulator.refusal import Refusal
from bybitd.simulator.wire.auth import (
    KeyRing,
    MissingHeaders,
    check_window,
    parse_active_time,
    verifier,
)
from bybitd.venue.sign import Key

NOW = 1_700_000_000_000
RING = KeyRing([ApiKey(key="k", secret="s3cret", uid=7)])


def signed(text):
    return hmac.new(b"s3cret", text.encode(), hashlib.sha256).hexdigest()


def headers(payload, *, at=NOW, window="5000", key="k"):
    return {
        "X-BAPI-API-KEY": key,
        "X-BAPI-TIMESTAMP": str(at),
        "X-BAPI-RECV-WINDOW": window,
        "X-BAPI-SIGN": signed(f"{at}{key}{window}{payload}"),
    }


def refusal_of(action):
    with pytest.raises(Refusal) as caught:
        action()
    return caught.value


@pytest.mark.parametrize("expires", [NOW + 1, str(NOW + 5_000)])
def test_a_socket_login_with_a_future_expiry_and_a_true_signature_is_let_in(expires):
    credential = RING.socket_login(["k", expires, signed(f"GET/realtime{expires}")], NOW)
    assert (credential.uid, credential.key) == (7, "k")


@pytest.mark.parametrize(
    "args",
    [None, [], ["k"], ["k", NOW + 9], ["k", 1.5, "x"], [1, NOW + 9, "x"], ["k", True, "x"]],
)
def test_a_malformed_login_is_a_parameter_error(args):
    refusal = refusal_of(lambda: RING.socket_login(args, NOW))
    assert (refusal.retCode, refusal.retMsg) == (10001, "Params Error")


def test_a_login_that_has_expired_is_refused_although_its_signature_is_true():
    assert (
        refusal_of(lambda: RING.socket_login(["k", NOW, signed(f"GET/realtime{NOW}")], NOW)).retCode
        == 10001
    )


def test_a_wrong_signature_and_an_unknown_key_have_their_own_codes():
    expires = NOW + 5_000
    true = signed(f"GET/realtime{expires}")
    assert (
        refusal_of(lambda: RING.socket_login(["k", expires, true[:-1] + "x"], NOW)).retCode == 10004
    )
    assert refusal_of(lambda: RING.socket_login(["k", expires, "é" * 64], NOW)).retCode == 10004
    assert refusal_of(lambda: RING.socket_login(["nobody", expires, true], NOW)).retCode == 10003


def test_a_request_is_verified_over_the_bytes_that_were_sent():
    query = "symbol=BTC-29JUL22-25000-C&cursor=a%2Cb%3D&category=option"
    assert RING.rest_login(headers(query), query.encode(), NOW).uid == 7
    decoded = query.replace("%2C", ",")
    refusal = refusal_of(lambda: RING.rest_login(headers(query), decoded.encode(), NOW))
    assert refusal.retCode == 10004
    assert refusal.retMsg == f"error sign! origin_string[{NOW}k5000{decoded}]"
    assert "s3cret" not in refusal.retMsg


@pytest.mark.parametrize("missing", ["X-BAPI-API-KEY", "X-BAPI-TIMESTAMP", "X-BAPI-SIGN"])
def test_a_request_without_one_of_the_signature_headers_is_no_request(missing):
    given_headers = headers("")
    del given_headers[missing]
    with pytest.raises(MissingHeaders):
        RING.rest_login(given_headers, b"", NOW)


@pytest.mark.parametrize(
    ("sent", "fits"),
    [(NOW - 5_001, False), (NOW - 5_000, True), (NOW + 999, True), (NOW + 1_000, False)],
)
def test_the_window_reaches_from_its_length_ago_to_just_below_one_second_ahead(sent, fits):
    if fits:
        check_window(str(sent), "5000", NOW)
    else:
        refusal = refusal_of(lambda: check_window(str(sent), "5000", NOW))
        assert refusal.retCode == 10002
        assert f"req_timestamp[{sent}],server_timestamp[{NOW}],recv_window[5000]" in refusal.retMsg


@pytest.mark.parametrize("window", [None, "", 5_000, "5000"])
def test_a_window_may_be_text_a_number_or_the_default(window):
    check_window(NOW - 5_000, window, NOW)
    assert refusal_of(lambda: check_window(NOW - 5_001, window, NOW)).retCode == 10002


@given(st.one_of(st.none(), st.booleans(), st.floats(), st.text(), st.lists(st.integers())))
def test_any_other_timestamp_is_a_refusal_and_never_an_exception(value):
    assert refusal_of(lambda: check_window(value, "5000", NOW)).retCode in (10001, 10002)


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ([], 600.0),
        ([("max_active_time", "30s")], 30.0),
        ([("max_active_time", "2m")], 120.0),
        ([("max_active_time", "29s")], 600.0),
        ([("max_active_time", "11m")], 600.0),
        ([("max_active_time", "5")], 600.0),
        ([("max_active_time", "²s")], 600.0),
        ([("other", "30s")], 600.0),
    ],
)
def test_max_active_time_is_read_between_half_a_minute_and_ten(query, seconds):
    assert parse_active_time(query, 600.0) == seconds


def test_what_an_rsa_key_signed_is_checked_with_its_public_half() -> None:
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    verify = verifier(pem.decode())
    secret = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = Key("rsa-key", secret.decode())
    assert verify(b"text", key.sign("text"))
    assert not verify(b"other", key.sign("text"))
    assert not verify(b"text", Key("rsa-key", "an hmac secret").sign("text"))
    assert not verify(b"text", "no base64 at all")


@pytest.mark.parametrize("pem", ["-----BEGIN PUBLIC KEY-----\nrubbish\n-----END PUBLIC KEY-----"])
def test_what_is_no_public_key_is_refused(pem: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        verifier(pem)

"""Errors: what they hold, and the codes that are read from a body."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.registry import (
    AnswerError,
    AuthenticationError,
    ConnectionFailedError,
    LeftAloneError,
    PastDeadlineError,
    ProtocolError,
    RegistryError,
    TimedOutError,
    TooLargeError,
    TruncatedBodyError,
)
from exporter.registry.errors import ConnectTimedOutError, NotConnectedError, parse_error_codes


def body(*codes: object) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": "m", "detail": {}} for code in codes]}).encode()


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (body("MANIFEST_UNKNOWN"), ("MANIFEST_UNKNOWN",)),
        (body("DENIED", "UNAUTHORIZED", "DENIED"), ("DENIED", "UNAUTHORIZED", "DENIED")),
        (b"\n \t" + body("TOOMANYREQUESTS"), ("TOOMANYREQUESTS",)),
        (b'{"errors":[{"code":"UNKNOWN"}],"x":1}', ("UNKNOWN",)),
        (body("X2_Y"), ("X2_Y",)),
        (body("A" * 64), ("A" * 64,)),
        (body(*"ABCDEFGH"), tuple("ABCDEFGH")),
    ],
)
def test_codes_of_the_specification_are_read_in_order(data: bytes, codes: tuple[str, ...]):
    """From `errors[].code`, and nothing else."""
    assert parse_error_codes(data) == codes


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>MANIFEST_UNKNOWN</html>",
        b"MANIFEST_UNKNOWN",
        b"null",
        b'["MANIFEST_UNKNOWN"]',
        b"{}",
        b'{"errors":null}',
        b'{"errors":{"code":"DENIED"}}',
        b'{"errors":"DENIED"}',
        b'{"errors":["DENIED",null,7,["DENIED"]]}',
        b'{"errors":[{"message":"DENIED"},{}]}',
        b'{"error":"DENIED","code":"DENIED"}',
        b'{"errors":[{"code":"DENIED"}]',
        b'{"errors":[{"code":"DENIED"}]}\xff',
        b'\xef\xbb\xbf{"errors":[{"code":"DENIED"}]}',
        b'{"errors":' + b"[" * 50_000,
        b'{"x":' + b"9" * 5000 + b"}",
        body("DENIED").ljust(64 * 1024 + 1),
    ],
    ids=range(18),
)
def test_foreign_body_has_no_codes(data: bytes):
    """A proxy's page, a cut document, or one that is larger than any that is meant."""
    assert parse_error_codes(data) == ()


@pytest.mark.parametrize(
    "code",
    [
        "",
        "denied",
        "_X",
        "7X",
        "A" * 65,
        "DENIED\n",
        "A B",
        "\x1b[2J",
        "A-B",
        "\u0391",
        7,
        None,
        ["DENIED"],
        {},
    ],
)
def test_code_that_is_no_word_is_left_out(code: object):
    """It could write into a log line; its neighbours count."""
    assert parse_error_codes(body("DENIED", code, "UNKNOWN")) == ("DENIED", "UNKNOWN")


def test_eight_codes_are_enough():
    """Nobody reads more."""
    assert parse_error_codes(body(*"ABCDEFGHI")) == tuple("ABCDEFGH")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["errors", "code", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_body_gives_only_words(data: bytes):
    """Never an exception."""
    codes = parse_error_codes(data)
    assert all(code.isascii() and code.replace("_", "").isalnum() and code.isupper() for code in codes)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (AnswerError("HEAD", "/v2/", 500), "HEAD /v2/ answered 500"),
        (AnswerError("GET", "/v2/", 404, ("NAME_UNKNOWN",)), "GET /v2/ answered 404 NAME_UNKNOWN"),
        (AnswerError("GET", "/v2/", 403, redirected=True), "GET /v2/ answered 403 after a redirect"),
        (
            AnswerError("GET", "/v2/", 404, ("A", "B"), redirected=True),
            "GET /v2/ answered 404 A B after a redirect",
        ),
        (TruncatedBodyError("GET", "/v2/", 206, "was cut"), "GET /v2/ was cut"),
        (TimedOutError("GET", "/v2/", "was late"), "GET /v2/ was late"),
    ],
)
def test_message_tells_what_was_asked_and_what_happened(error: RegistryError, message: str):
    """In one line, with its parts beside it."""
    assert (str(error), f"{error.method} {error.path} {error.detail}") == (message, message)


def test_evidence_of_an_answer_is_complete():
    """Whatever a judgement may need of it."""
    error = AnswerError("GET", "/v2/", 429, ("TOOMANYREQUESTS",), redirected=True, retry_after="7")
    assert vars(error) == {
        "method": "GET",
        "path": "/v2/",
        "detail": "answered 429 TOOMANYREQUESTS after a redirect",
        "status": 429,
        "codes": ("TOOMANYREQUESTS",),
        "redirected": True,
        "retry_after": "7",
    }


def test_evidence_of_a_cut_body_has_its_status_and_range():
    """206 of a range, or 200 of a whole."""
    assert vars(TruncatedBodyError("GET", "/v2/", 206, "was cut", "bytes 4-4/5")) == {
        "method": "GET",
        "path": "/v2/",
        "detail": "was cut",
        "status": 206,
        "content_range": "bytes 4-4/5",
    }


def test_every_error_is_of_one_family():
    """A caller that catches `RegistryError` misses none; the narrower ones say what they are, too."""
    assert {kind: kind.__mro__[1] for kind in every(RegistryError)} == {
        AnswerError: RegistryError,
        AuthenticationError: RegistryError,
        TimedOutError: RegistryError,
        ConnectTimedOutError: TimedOutError,
        ConnectionFailedError: RegistryError,
        NotConnectedError: ConnectionFailedError,
        PastDeadlineError: RegistryError,
        LeftAloneError: RegistryError,
        TruncatedBodyError: RegistryError,
        ProtocolError: RegistryError,
        TooLargeError: RegistryError,
    }


def every(kind: type[RegistryError]) -> list[type[RegistryError]]:
    return [one for child in kind.__subclasses__() for one in (child, *every(child))]

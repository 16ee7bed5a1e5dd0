"""Digests: which texts are some, and what they can be compared with."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.oci import Digest, InvalidValueError, quoted
from tests.oci.refusal import refusal

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8


@pytest.mark.parametrize(
    ("text", "algorithm", "encoded", "verifiable"),
    [
        (SHA256, "sha256", "0123456789abcdef" * 4, True),
        (SHA512, "sha512", "0123456789abcdef" * 8, True),
        ("blake3:q0", "blake3", "q0", False),
        ("sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564", "sha256+b64u", None, False),
        ("multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8", "multihash+base58", None, False),
        ("a.b_c-d+e1:A=b_c-D", "a.b_c-d+e1", "A=b_c-D", False),
        ("sha384:" + "0" * 96, "sha384", "0" * 96, False),
        ("x:" + "a" * 253, "x", "a" * 253, False),
    ],
)
def test_text_that_obeys_the_grammar_is_a_digest(
    text: str, algorithm: str, encoded: str | None, verifiable: bool
):
    """The specification's own examples, both registered algorithms, and the longest that is accepted."""
    digest = Digest(text)
    assert (digest, digest.algorithm, digest.encoded, digest.verifiable) == (
        text,
        algorithm,
        text.partition(":")[2] if encoded is None else encoded,
        verifiable,
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sha256",
        "sha256:",
        ":" + "0" * 64,
        "SHA256:" + "0" * 64,
        " " + SHA256,
        SHA256 + "\n",
        "sha256:" + "0" * 63 + "/",
        "sha256:../../" + "0" * 58,
        "sha256:" + "0" * 62 + "%0",
        "sha256:" + "0" * 63 + "\x00",
        "sha256:" + "0" * 63 + "\u0660",
        "sha256::" + "0" * 63,
        "sha256 " + "0" * 64,
        "sha+-256:00",
        "+sha256:00",
        "x:\ud800",
    ],
)
def test_text_against_the_grammar_is_refused(text: str):
    """No separator of a path, percent sign, space or control character can stand in a digest."""
    assert refusal(Digest, text) == f"{quoted(text)} is not a digest"


def test_digest_of_256_characters_is_refused():
    """One more than the longest."""
    assert refusal(Digest, "x:" + "a" * 254) == f"'x:{'a' * 73}...' is not a digest"


@pytest.mark.parametrize(
    "text",
    [
        "sha256:" + "0" * 63,
        "sha256:" + "0" * 65,
        "sha256:" + "A" * 64,
        "sha256:" + "g" * 64,
        "sha256:" + "0" * 128,
        "sha256:q0",
        "sha512:" + "0" * 127,
        "sha512:" + "0" * 129,
        "sha512:" + "A" * 128,
        "sha512:" + "0" * 64,
    ],
)
def test_registered_algorithm_wants_its_length_and_lower_case(text: str):
    """The grammar alone would let these pass."""
    assert refusal(Digest, text) == f"{quoted(text)} has not the form of its algorithm"


def test_refusal_never_holds_raw_text():
    """A newline and an escape of the terminal are shown, not obeyed."""
    assert refusal(Digest, "sha256:\n\x1b[31m") == r"'sha256:\n\x1b[31m' is not a digest"


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_digest_of_content_matches_only_that_content(algorithm: str):
    """The digest is the one that hashlib computes."""
    digest = Digest.of(b"content", algorithm)
    assert (digest, digest.matches(b"content"), digest.matches(b"Content")) == (
        f"{algorithm}:{hashlib.new(algorithm, b'content').hexdigest()}",
        True,
        False,
    )


def test_digest_is_of_sha256_unless_told_otherwise():
    """As everywhere in the specification."""
    assert Digest.of(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_content_cannot_be_compared_with_an_unknown_algorithm():
    """Neither true nor false is an answer there."""
    assert refusal(Digest("sha384:00").matches, b"") == ("digests of the algorithm sha384 cannot be computed")


@given(st.text() | st.from_regex(r"[a-z0-9+._-]{0,9}:[a-zA-Z0-9=_-]{0,9}", fullmatch=True))
def test_any_text_is_a_digest_as_it_stands_or_refused(text: str):
    """Nothing is trimmed, folded or let through with other characters."""
    try:
        digest = Digest(text)
    except InvalidValueError as error:
        message = str(error)
        assert (message.isascii(), message.isprintable()) == (True, True)
    else:
        assert (str(digest), f"{digest.algorithm}:{digest.encoded}") == (text, text)
        assert set(text) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+._-=:")


@given(st.binary(), st.sampled_from(["sha256", "sha512"]))
def test_computed_digest_is_valid_and_matches(content: bytes, algorithm: str):
    """Whatever the content."""
    digest = Digest(Digest.of(content, algorithm))
    assert (digest.matches(content), digest.matches(content + b"\x00")) == (True, False)

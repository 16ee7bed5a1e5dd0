"""What holds for every name and every manifest."""

import json
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.oci import ImageName, InvalidValueError, Manifest, parse_manifest
from exporter.oci.media_types import MANIFESTS
from tests.oci.strategies import Case, cases, damaged_documents, image_names, odd_values, plain_json

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
declarations = st.sampled_from(["", "text/plain", *sorted(MANIFESTS)]) | st.text(max_size=9)
fields = st.sampled_from(
    ["mediaType", "schemaVersion", "manifests", "config", "layers", "fsLayers", "blobs", "artifactType"]
)


def outcome(body: bytes, content_type: str = "", described_as: str = "") -> Manifest | str:
    """Parse it; a refusal gives its message, any other exception is the test's failure."""
    try:
        return parse_manifest(body, content_type, described_as)
    except InvalidValueError as error:
        return str(error)


def assert_typed(result: Manifest | str) -> None:
    """A manifest, or a message that can stand in a log line as it is."""
    if isinstance(result, str):
        assert (result.isascii(), result.isprintable(), len(result) < 250) == (True, True, True)
    else:
        assert isinstance(result, Manifest)


@unhurried
@given(image_names())
def test_written_name_is_read_back_as_the_same(name: ImageName):
    """Whatever host, repository, tag and digest."""
    assert ImageName.parse(str(name)) == name


@unhurried
@given(st.text() | st.from_regex(r"[a-zA-Z0-9./:@\[\]_-]{0,40}", fullmatch=True))
def test_any_text_is_a_name_or_refused_in_printable_ascii(text: str):
    """A name that was read is stable: written and read again it stays itself."""
    try:
        name = ImageName.parse(text)
    except InvalidValueError as error:
        message = str(error)
        assert (message.isascii(), message.isprintable(), len(message) < 150) == (True, True, True)
    else:
        assert ImageName.parse(str(name)) == name


@unhurried
@given(cases, st.booleans(), st.booleans())
def test_well_formed_manifest_is_parsed_to_exactly_its_descriptors(case: Case, itself: bool, led: bool):
    """Wherever its type is declared: in itself, by the descriptor that led to it, or by the header."""
    document, declared, expected = case
    if itself:
        document = {**document, "mediaType": declared}
    body = json.dumps(document).encode()
    parsed = parse_manifest(body, *(("", declared) if led else (declared, "")))
    assert parsed == replace(expected, size=len(body))


@unhurried
@given(st.binary(), declarations, declarations)
def test_any_bytes_are_a_manifest_or_refused(body: bytes, content_type: str, described_as: str):
    """Nothing but a refusal is raised."""
    assert_typed(outcome(body, content_type, described_as))


@unhurried
@given(plain_json | st.dictionaries(fields, odd_values), declarations)
def test_any_json_is_a_manifest_or_refused(document: object, declared: str):
    """Also where the fields of several kinds meet, with values of any type."""
    assert_typed(outcome(json.dumps(document).encode(), declared))


@unhurried
@given(damaged_documents())
def test_manifest_with_one_value_wrong_is_a_manifest_or_refused(body: bytes):
    """At any depth: removed, or replaced by anything."""
    assert_typed(outcome(body))


@unhurried
@given(cases, st.data())
def test_cut_or_flipped_manifest_is_a_manifest_or_refused(case: Case, data: st.DataObject):
    """As a torn write or a rotten bit leaves it."""
    body = bytearray(json.dumps(case[0]).encode())
    position = data.draw(st.integers(0, len(body) - 1))
    body[position] ^= data.draw(st.integers(1, 255))
    assert_typed(outcome(bytes(body)))
    assert_typed(outcome(bytes(body[:position])))

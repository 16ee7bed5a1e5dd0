"""The parsers, each as a function of bytes that may raise nothing but its own typed error."""

import base64
from types import MappingProxyType

import httpx

from exporter.deletion import read_list
from exporter.oci import Digest, ImageName, InvalidValueError, digested_content, parse_manifest
from exporter.registry import ProtocolError
from exporter.registry.addresses import origin
from exporter.registry.challenges import parse_challenges
from exporter.registry.errors import parse_error_codes
from exporter.registry.messages import AnswerHeaders
from exporter.registry.pace import LONGEST_WAIT, retry_after_seconds
from exporter.registry.pages import Listing
from exporter.registry.transport import Answer, Question
from exporter.verification import UsageError
from fuzz import Targets

_PAGE = "http://registry.example/v2/_catalog?n=1000"


def manifest(data: bytes) -> None:
    """A manifest parses, or is refused in words that are safe to print."""
    kind, _, body = data.partition(b"\n")
    try:
        parsed = parse_manifest(body, kind.decode("latin-1"))
    except InvalidValueError as error:
        _check_printable(error)
    else:
        _check(parsed.size == len(body), "the size is not the body's")
        _check(parsed.fits(parsed.media_type), "it is not what it is")
        _check(len(list(parsed.descriptors)) == parsed.references, "a reference is not counted")
        for _, descriptor in parsed.descriptors:
            _check(Digest(descriptor.digest).isascii(), "a digest is not one")
            _check(descriptor.media_type.isprintable(), "a media type holds raw text")
            _check(str(descriptor.platform).isprintable(), "a platform holds raw text")


def signed_manifest(data: bytes) -> None:
    """Whatever the signatures say, what they sign comes from the body."""
    _check(len(digested_content(data)) <= 2 * len(data), "more is signed than there is")


def error_body(data: bytes) -> None:
    """An error's body gives codes of the specification's form, or none."""
    for code in parse_error_codes(data):
        _check(code.isascii() and code.replace("_", "").isalnum(), "a code is not of its form")


def challenge(data: bytes) -> None:
    """A challenge is read, or left out."""
    for one in parse_challenges(data.decode("latin-1").split("\n")):
        _check(bool(one.scheme) and one.scheme == one.scheme.lower(), "a scheme is not in lower case")


def link(data: bytes) -> None:
    """A page and its `Link` lead on within the registry, or are refused."""
    header, _, body = data.partition(b"\n")
    headers = AnswerHeaders([(b"link", header)])
    listing = Listing("repositories")
    try:
        following = listing.add(Answer(Question("GET", _PAGE, ""), 200, headers, body), _PAGE)
    except ProtocolError as error:
        _check_printable(error)
    else:
        if following is not None:
            _check(origin(httpx.URL(following)) == origin(httpx.URL(_PAGE)), "a link leads elsewhere")


def image_name(data: bytes) -> None:
    """A name of an image is itself again once written, or is refused in words that are safe to print."""
    try:
        name = ImageName.parse(data.decode("utf-8", "surrogateescape"))
    except InvalidValueError as error:
        _check_printable(error)
    else:
        _check(ImageName.parse(str(name)) == name, "a name changes when it is written and read")


def deletion_list(data: bytes) -> None:
    """A list of what is to be deleted names a tag or a digest a line, or is refused in safe words."""
    try:
        names = read_list(data.decode("utf-8", "surrogateescape"), "list")
    except UsageError as error:
        _check_printable(error.problems[0])
    else:
        _check(all((name.tag is None) != (name.digest is None) for name in names), "more goes than is said")


def retry_after(data: bytes) -> None:
    """A `Retry-After` is a time that can be waited, or none."""
    seconds = retry_after_seconds(data.decode("latin-1"))
    _check(seconds is None or 0.0 <= seconds <= LONGEST_WAIT, "a wait is out of bounds")


def _check_printable(error: Exception | str) -> None:
    text = str(error)
    _check(text.isascii() and text.isprintable(), f"an error holds raw text: {text!a}")


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise AssertionError(what)


# What to begin with: a fuzzer that has to find JSON by chance does not come far.
_DIGEST = b"sha256:" + b"0" * 64
_DESCRIPTOR = b'{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"' + _DIGEST + b'","size":2}'
_TYPE = b"application/vnd.oci.image.manifest.v1+json\n"
_SIGNED = base64.urlsafe_b64encode(b'{"formatLength":18,"formatTail":"fQ"}')

TARGETS: Targets = MappingProxyType(
    {
        "manifest": (
            manifest,
            (
                _TYPE + b'{"schemaVersion":2,"config":' + _DESCRIPTOR + b',"layers":[' + _DESCRIPTOR + b"]}",
                b'\n{"schemaVersion":2,"manifests":[' + _DESCRIPTOR + b"]}",
                b'\n{"schemaVersion":1,"fsLayers":[{"blobSum":"' + _DIGEST + b'"}]}',
                b'\n{"mediaType":"application/vnd.oci.artifact.manifest.v1+json","blobs":null}',
                _TYPE + b'{"config":' + _DESCRIPTOR + b',"layers":null,"artifactType":"a/b"}',
                b'\n{"manifests":[' + _DESCRIPTOR[:-1] + b',"platform":{"os":"linux","variant":"v8"}}]}',
            ),
        ),
        "signed-manifest": (
            signed_manifest,
            (
                b'{"schemaVersion":1,"signatures":[{"protected":"' + _SIGNED + b'"}]}',
                b'{"schemaVersion":1,"signatures":[]}',
            ),
        ),
        "error-body": (error_body, (b'{"errors":[{"code":"NAME_UNKNOWN","message":"no"}]}',)),
        "challenge": (
            challenge,
            (
                b'Bearer realm="https://auth.example/token",service="a",scope="repository:a:pull,push"',
                b"Basic",
            ),
        ),
        "link": (link, (b'</v2/_catalog?last=b&n=2>; rel="next"\n{"repositories":["a","b"]}',)),
        "image-name": (image_name, (b"localhost:5000/team/app:v1@" + _DIGEST, b"[::1]:80/a", b"nginx")),
        "deletion-list": (deletion_list, (b"# old\nh.io/team/app:1\n\nh.io/app@" + _DIGEST + b"\n",)),
        "retry-after": (retry_after, (b"120", b"Thu, 01 Jan 2026 12:00:00 GMT")),
    }
)

"""The one table that turns answers and errors into judgements (design: "What a cycle checks")."""

from dataclasses import dataclass, replace
from typing import Final

from exporter.integrity.finding import Reason, Verdict
from exporter.oci import Digest, InvalidValueError, Manifest, digested_content, parse_manifest
from exporter.registry import (
    AnswerError,
    AuthenticationError,
    BlobHead,
    ConnectionFailedError,
    LastByte,
    LeftAloneError,
    ManifestBody,
    ManifestHead,
    PastDeadlineError,
    RegistryError,
    TimedOutError,
    TooLargeError,
    TruncatedBodyError,
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one answer says of a reference; `asked` is false when no answer was even sought."""

    verdict: Verdict
    reason: Reason | None = None
    detail: str = ""
    asked: bool = True


INTACT: Final = Judgement(Verdict.INTACT)
LONGEST_BLOB: Final = 2**40  # bytes, of one whose length nothing tells

# The specification's, and what Harbor says instead of each of them (goharbor/harbor#20764).
_MISSING_CODES = frozenset({"MANIFEST_UNKNOWN", "BLOB_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"})
_UNVERIFIED_STATUSES: dict[int, Reason] = {
    401: Reason.UNAUTHORIZED,
    403: Reason.FORBIDDEN,
    408: Reason.TIMEOUT,
    429: Reason.RATE_LIMITED,
}
_UNVERIFIED_ERRORS: dict[type[RegistryError], Reason] = {
    TimedOutError: Reason.TIMEOUT,
    ConnectionFailedError: Reason.CONNECTION,
    TooLargeError: Reason.TOO_LARGE,
}
_NOT_FOUND = 404
_RANGE_NOT_SATISFIABLE = 416
_SERVER_ERRORS = range(500, 600)


def broken(reason: Reason, detail: str) -> Judgement:
    """Judge that the registry definitely cannot serve it."""
    return Judgement(Verdict.BROKEN, reason, detail)


def unverified(reason: Reason, detail: str) -> Judgement:
    """Judge that it could not be determined."""
    return Judgement(Verdict.UNVERIFIED, reason, detail)


def left_alone(detail: str, *, rate_limited: bool = False) -> Judgement:
    """Judge what was not asked, because there were no answers before it."""
    reason = Reason.RATE_LIMITED if rate_limited else Reason.CONNECTION
    return Judgement(Verdict.UNVERIFIED, reason, detail, asked=False)


def past_deadline(detail: str) -> Judgement:
    """Judge what was not asked, because the deadline came."""
    return Judgement(Verdict.UNVERIFIED, Reason.CANCELED, detail, asked=False)


def _not_asked(error: LeftAloneError | PastDeadlineError) -> Judgement:
    if isinstance(error, PastDeadlineError):
        return past_deadline(str(error))
    return left_alone(str(error), rate_limited=error.rate_limited)


def judge_error(error: RegistryError) -> Judgement:
    """Judge a manifest or blob that gave an error instead of an answer."""
    detail = str(error)
    if isinstance(error, TruncatedBodyError):
        return broken(Reason.TRUNCATED, detail)
    if isinstance(error, AnswerError):
        if error.status == _NOT_FOUND and _is_missing(error):
            return broken(Reason.MISSING, detail)
        if error.status == _RANGE_NOT_SATISFIABLE:
            return broken(Reason.SIZE_MISMATCH, detail)
    return judge_listing_error(error)


def _is_missing(error: AnswerError) -> bool:
    # HEAD has no body that could explain a 404; the confirmation's GET has. An origin that the registry
    # itself redirected to speaks its own language.
    return error.method == "HEAD" or error.redirected or not _MISSING_CODES.isdisjoint(error.codes)


def judge_listing_error(error: RegistryError) -> Judgement:
    """Judge a list of tags that gave an error: an error says nothing of what it should have listed."""
    detail = str(error)
    if isinstance(error, LeftAloneError | PastDeadlineError):
        return _not_asked(error)
    if isinstance(error, AuthenticationError):
        if error.trouble is None:
            return unverified(Reason.UNAUTHORIZED, detail)
        return replace(judge_listing_error(error.trouble), detail=detail)
    if isinstance(error, AnswerError):
        reason = _UNVERIFIED_STATUSES.get(error.status, Reason.PROTOCOL)
        return unverified(Reason.SERVER_ERROR if error.status in _SERVER_ERRORS else reason, detail)
    for kind, reason in _UNVERIFIED_ERRORS.items():
        if isinstance(error, kind):
            return unverified(reason, detail)
    return unverified(Reason.PROTOCOL, detail)


def judge_manifest(answer: ManifestBody, digest: Digest) -> Manifest | Judgement:
    """Judge a manifest that was fetched by digest; an intact one is returned parsed."""
    content = answer.body
    if digest.verifiable and not digest.matches(content):
        content = digested_content(content)
        if not digest.matches(content):
            detail = f"the {len(answer.body)} bytes served have another digest"
            return broken(Reason.DIGEST_MISMATCH, detail)
    if not digest.verifiable and _differ(answer.digest, digest):
        return broken(Reason.DIGEST_MISMATCH, f"served as {answer.digest}")
    try:
        manifest = parse_manifest(content, answer.media_type)
    except InvalidValueError as error:
        return broken(Reason.MALFORMED, str(error))
    return manifest if content is answer.body else replace(manifest, size=len(answer.body))


def judge_manifest_head(answer: ManifestHead, digest: Digest, remembered: Manifest) -> Judgement:
    """Judge the headers of a manifest whose content is known."""
    if _differ(answer.digest, digest):
        return broken(Reason.DIGEST_MISMATCH, f"HEAD announced {answer.digest}")
    if answer.length not in {None, remembered.size}:
        detail = f"HEAD announced {answer.length} bytes instead of {remembered.size}"
        return broken(Reason.SIZE_MISMATCH, detail)
    return INTACT


def _differ(told: Digest | None, asked: Digest) -> bool:
    # The same content may be told by a digest of another algorithm (distribution specification, "Pulling
    # manifests"), which says nothing.
    return told is not None and told != asked and told.algorithm == asked.algorithm


def judge_description(manifest: Manifest, media_type: str, size: int | None) -> Judgement:
    """Judge an intact manifest against what a descriptor that leads to it says."""
    if size is not None and size != manifest.size:
        detail = f"the manifest is {manifest.size} bytes long, its descriptor says {size}"
        return broken(Reason.SIZE_MISMATCH, detail)
    if not manifest.fits(media_type):
        # Container runtimes refuse it (CVE-2021-41190).
        detail = f"the manifest is a {manifest.media_type}, its descriptor says {media_type}"
        return broken(Reason.MALFORMED, detail)
    return INTACT


def judge_blob_head(answer: BlobHead, size: int | None) -> Judgement:
    """Judge a blob's announced length."""
    if answer.length is None or size is None or answer.length == size:
        return INTACT
    return broken(Reason.SIZE_MISMATCH, f"HEAD announced {answer.length} bytes instead of {size}")


def judge_content(
    announced: int | None, received: int, computed: Digest | None, digest: Digest, size: int | None
) -> Judgement:
    """Judge a blob that was read whole, unless its announced length was wrong.

    `computed` is the digest of what came, None where it cannot be computed.
    """
    if size is not None and announced not in {None, size}:
        return broken(Reason.SIZE_MISMATCH, f"GET announced {announced} bytes instead of {size}")
    if size is not None and received != size:
        came = f"more than {size}" if received > size else f"{received} instead of {size}"
        return broken(Reason.SIZE_MISMATCH, f"GET brought {came} bytes")
    if size is None and received > LONGEST_BLOB:
        return unverified(Reason.TOO_LARGE, f"GET brought more than {LONGEST_BLOB} bytes")
    if computed not in {None, digest}:
        return broken(Reason.DIGEST_MISMATCH, f"the {received} bytes served have another digest")
    return INTACT


def judge_last_byte(answer: LastByte, size: int | None) -> Judgement:
    """Judge a blob by its last byte; `size` is None where no descriptor tells it."""
    if answer.total is not None and size is not None and answer.total != size:
        return broken(Reason.SIZE_MISMATCH, f"GET announced {answer.total} bytes instead of {size}")
    if answer.ranged and answer.received == 0:
        return broken(Reason.TRUNCATED, "GET of the last byte answered 206 without a byte")
    return INTACT

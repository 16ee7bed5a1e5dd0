"""The endpoints of a registry's HTTP API that a walk needs (OCI distribution specification, "Endpoints")."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import httpx
import structlog

from exporter.oci import Digest, InvalidValueError
from exporter.oci.media_types import ACCEPT, essence
from exporter.registry.addresses import without_user
from exporter.registry.auth import Authentication
from exporter.registry.bodies import BodySink
from exporter.registry.caches import NoticeCache, sign_of_cache
from exporter.registry.connections import TransportOptions, open_transport
from exporter.registry.credentials import Credentials, CredentialSource, FixedCredentials, NoCredentials
from exporter.registry.deadline import Deadline
from exporter.registry.errors import (
    AnswerError,
    LeftAloneError,
    PastDeadlineError,
    ProtocolError,
    RegistryError,
    TruncatedBodyError,
)
from exporter.registry.pace import Pace
from exporter.registry.pacing import Circuit, ask_again, note_answer, retry_reason
from exporter.registry.pages import LONGEST_PAGE, Listing
from exporter.registry.requests import Purpose, RequestObserver, Tally
from exporter.registry.transport import Answer, Question, Wire

PAGE_SIZE: Final = 1000  # distribution 2.8 refuses 5000, ECR everything over 1000
LONGEST_MANIFEST: Final = 4 * 1024 * 1024  # distribution accepts no longer one
_PAGE_TOO_LARGE: Final = "PAGINATION_NUMBER_INVALID"
_OK = 200
_PARTIAL = 206
_NOT_FOUND = 404
_WEB_PAGE = "text/html"
_WHOLE: Final = frozenset({_OK})
_RANGE: Final = frozenset({_PARTIAL})
_NO_SUCH_REPOSITORY = frozenset({"NAME_UNKNOWN", "NOT_FOUND"})  # the latter is Harbor's

_log = structlog.get_logger()
_CONTENT_RANGE = re.compile(r"bytes +(?P<first>\d{1,19})-(?P<last>\d{1,19})/(?P<total>\d{1,19}|\*)")


@dataclass(frozen=True, slots=True)
class Errand:
    """On whose behalf a question is put: what it is for, where it is counted, whom it gives up on.

    `notice_cache` is told of answers that show a pull-through cache.
    """

    purpose: Purpose = Purpose.WALK
    tally: Tally = field(default_factory=Tally)
    circuit: Circuit = field(default_factory=Circuit)
    notice_cache: NoticeCache | None = None
    deadline: Deadline | None = None


@dataclass(frozen=True, slots=True)
class ManifestHead:
    """What the headers of a manifest say; None where a header is missing. `length` is in bytes."""

    digest: Digest | None
    length: int | None
    media_type: str


@dataclass(frozen=True, slots=True)
class ManifestBody:
    """A manifest as it was served; `digest` is what the header claims, not what was computed."""

    digest: Digest | None
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class BlobHead:
    """A blob's announced length in bytes, None where the registry does not tell."""

    length: int | None


@dataclass(frozen=True, slots=True)
class LastByte:
    """How a request for a blob's last byte was answered.

    `total` is the blob's length as the answer tells it, None when it does not. `received` is the number of
    body bytes; `ranged` is false when the server ignores ranges and began to send the whole blob.
    """

    ranged: bool
    total: int | None
    received: int


class RegistryClient:
    """Asks one registry. Safe to use from many tasks at once.

    Every method raises `RegistryError`, and nothing else, when there is no usable answer.
    """

    def __init__(
        self,
        url: str,
        transport: httpx.AsyncBaseTransport,
        *,
        timeout: float = 10.0,
        catalog_timeout: float = 60.0,
        credentials: CredentialSource | Credentials | None = None,
        token_hosts: Iterable[str] = (),
        requests_per_second: float | None = None,
        observer: RequestObserver | None = None,
    ) -> None:
        """Prepare to ask the registry at `url`; timeouts are in seconds, for one whole answer."""
        self._base = f"{str(without_user(httpx.URL(url))).rstrip('/')}/v2/"
        self._timeout = timeout
        self._catalog_timeout = catalog_timeout
        self._observer = observer
        self._pace = Pace(requests_per_second)
        self._wire = Wire(
            url,
            transport,
            Authentication(httpx.URL(url), _source_of(credentials), token_hosts),
            timeout,
            observer=observer,
        )

    async def ping(self, errand: Errand) -> None:
        """Ask `/v2/`: the registry is there and lets us in."""
        await self._ask(Question("GET", self._base, None), errand, self._catalog_timeout)

    async def catalog(self, errand: Errand) -> tuple[str, ...]:
        """List all repositories, raw: the names are not yet checked against the grammar."""
        return await self._list("_catalog", "repositories", errand, "", self._catalog_timeout)

    async def tags(self, repository: str, errand: Errand) -> tuple[str, ...]:
        """List a repository's tags, raw. A repository that the registry does not know has none."""
        try:
            return await self._list(f"{repository}/tags/list", "tags", errand, repository, self._timeout)
        except AnswerError as error:
            if error.status == _NOT_FOUND and not _NO_SUCH_REPOSITORY.isdisjoint(error.codes):
                return ()
            raise

    async def head_manifest(self, repository: str, reference: str, errand: Errand) -> ManifestHead:
        """Ask for the headers of a manifest by tag or digest."""
        question = Question("HEAD", self._manifest_url(repository, reference), repository, accept=ACCEPT)
        answer = await self._ask(question, errand)
        return ManifestHead(_digest_of(answer, reference), answer.length(), _media_type_of(answer))

    async def get_manifest(self, repository: str, reference: str, errand: Errand) -> ManifestBody:
        """Fetch a manifest by tag or digest."""
        question = Question(
            "GET",
            self._manifest_url(repository, reference),
            repository,
            accept=ACCEPT,
            bodies=_WHOLE,
            longest_body=LONGEST_MANIFEST,
        )
        answer = await self._ask(question, errand)
        return ManifestBody(_digest_of(answer, reference), _media_type_of(answer), answer.body)

    async def head_blob(self, repository: str, digest: Digest, errand: Errand) -> BlobHead:
        """Ask for a blob's headers: that proves the link, not the data."""
        answer = await self._ask(Question("HEAD", self._blob_url(repository, digest), repository), errand)
        return BlobHead(answer.length())

    async def last_byte(self, repository: str, digest: Digest, size: int, errand: Errand) -> LastByte:
        """Read the last byte of a blob that should be `size` bytes long: that proves the data too.

        No suffix range is used, since not every server knows them. A whole blob is not read. Of an empty
        blob there is no last byte: it is fetched whole, so that an error has a body that explains it.
        """
        question = Question(
            "GET",
            self._blob_url(repository, digest),
            repository,
            byte_range=f"bytes={size - 1}-{size - 1}" if size else None,
            bodies=_RANGE,
            longest_body=1,
            cut=True,
        )
        try:
            answer = await self._ask(question, errand)
        except TruncatedBodyError as error:
            # Headers count before the body.
            found = _CONTENT_RANGE.fullmatch(error.content_range)
            if found is None or found["total"] in {"*", str(size)}:
                raise
            return LastByte(ranged=True, total=int(found["total"]), received=0)
        if answer.status != _PARTIAL:
            return LastByte(ranged=False, total=answer.length(), received=0)
        return LastByte(ranged=True, total=_total_of(answer, size - 1), received=len(answer.body))

    async def read_blob(self, repository: str, digest: Digest, sink: BodySink, errand: Errand) -> None:
        """Read all of a blob, as it comes; the timeout is for each piece, not for the whole."""
        await self._ask(Question("GET", self._blob_url(repository, digest), repository, sink=sink), errand)

    def _manifest_url(self, repository: str, reference: str) -> str:
        return f"{self._base}{repository}/manifests/{reference}"

    def _blob_url(self, repository: str, digest: Digest) -> str:
        return f"{self._base}{repository}/blobs/{digest}"

    async def _list(
        self, path: str, names: str, errand: Errand, repository: str, seconds: float
    ) -> tuple[str, ...]:
        listing = Listing(names)
        url: str | None = f"{self._base}{path}?n={PAGE_SIZE}"
        while url is not None:
            question = Question("GET", url, repository, bodies=_WHOLE, longest_body=LONGEST_PAGE)
            try:
                answer = await self._ask(question, errand, seconds)
            except AnswerError as error:
                # A registry set to smaller pages refuses ours, but has a size of its own.
                if _PAGE_TOO_LARGE not in error.codes or "?" not in url or listing.names:
                    raise
                url = f"{self._base}{path}"
            else:
                url = listing.add(answer, url)
        return listing.names

    def _ask(self, question: Question, errand: Errand, seconds: float | None = None) -> Awaitable[Answer]:
        deadline = errand.deadline
        if deadline is None:
            return self._ask_while_answered(question, errand, seconds or self._timeout)
        return self._ask_until(deadline, question, errand, seconds or self._timeout)

    async def _ask_until(
        self, deadline: Deadline, question: Question, errand: Errand, seconds: float
    ) -> Answer:
        if not deadline.is_past(errand.purpose):
            # Other errors of time are the registry's, and have become a RegistryError by then.
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline.moment(errand.purpose)):
                    return await self._ask_while_answered(question, errand, seconds)
        deadline.missed = True
        raise PastDeadlineError(question.method, question.path)

    async def _ask_while_answered(self, question: Question, errand: Errand, seconds: float) -> Answer:
        repository = question.repository or ""
        if errand.circuit.open_for(repository):
            if errand.circuit.exhausted:
                detail = "was not asked: all before it were refused as too many"
                raise LeftAloneError(question.method, question.path, detail, rate_limited=True)
            detail = "was not asked: there were no answers before it"
            raise LeftAloneError(question.method, question.path, detail)
        try:
            answer = await self._ask_in_turn(question, seconds, errand.purpose, errand.tally)
        except RegistryError as error:
            if retry_reason(error) is None:
                errand.circuit.note(repository, error)
                raise
            answer = await self._ask_again(error, question, errand, seconds)
        errand.circuit.note(repository, None)
        if errand.notice_cache is not None and repository and not answer.redirected:
            sign = sign_of_cache(answer.headers)
            if sign is not None:
                errand.notice_cache(repository, sign)
        return answer

    async def _ask_again(
        self, first: RegistryError, question: Question, errand: Errand, seconds: float
    ) -> Answer:
        try:
            return await ask_again(
                first,
                lambda: self._ask_in_turn(question, seconds, Purpose.RETRY, errand.tally),
                self._observer,
            )
        except RegistryError as error:
            errand.circuit.note(question.repository or "", error)
            raise

    async def _ask_in_turn(
        self, question: Question, seconds: float, purpose: Purpose, tally: Tally
    ) -> Answer:
        if not self._pace.unlimited:
            await self._pace.turn()
        try:
            answer = await self._wire.ask(question, seconds, purpose, tally)
        except AnswerError as error:
            note_answer(self._pace, error)
            raise
        self._pace.answered()
        return answer


@asynccontextmanager
async def open_client(
    url: str,
    *,
    timeout: float = 10.0,  # noqa: ASYNC109 - of each request, not of this call
    catalog_timeout: float = 60.0,
    concurrency: int = 16,
    credentials: CredentialSource | Credentials | None = None,
    token_hosts: Iterable[str] = (),
    transport_options: TransportOptions | None = None,
    requests_per_second: float | None = None,
    observer: RequestObserver | None = None,
) -> AsyncIterator[RegistryClient]:
    """Open a client with a connection pool of its own, closed at the end.

    Raises:
        TransportOptionsError: a file of the options cannot be used.
    """
    token_hosts = tuple(token_hosts)
    own_hosts = (httpx.URL(url).host, *token_hosts)
    if transport_options is not None and transport_options.insecure_skip_verify:
        _log.warning("whoever answers is trusted: insecure_skip_verify is set", url=url)
    async with open_transport(concurrency, transport_options, own_hosts) as transport:
        yield RegistryClient(
            url,
            transport,
            timeout=timeout,
            catalog_timeout=catalog_timeout,
            credentials=credentials,
            token_hosts=token_hosts,
            requests_per_second=requests_per_second,
            observer=observer,
        )


def _source_of(credentials: CredentialSource | Credentials | None) -> CredentialSource:
    if credentials is None:
        return NoCredentials()
    return FixedCredentials(credentials) if isinstance(credentials, Credentials) else credentials


def _digest_of(answer: Answer, reference: str) -> Digest | None:
    text = answer.headers.get(b"docker-content-digest")
    if text is None:
        return None
    if isinstance(reference, Digest) and text == reference:  # the usual one, and it is checked
        return reference
    try:
        return Digest(text)
    except InvalidValueError as error:
        raise ProtocolError(
            answer.method, answer.path, f"answered with a wrong digest header: {error}"
        ) from error


def _media_type_of(answer: Answer) -> str:
    told = essence(answer.headers.get(b"content-type") or "")
    if told == _WEB_PAGE:  # a login or maintenance page says nothing of the manifest
        raise ProtocolError(answer.method, answer.path, "answered with a web page")
    return told


def _total_of(answer: Answer, position: int) -> int | None:
    told = answer.headers.get(b"content-range") or ""
    if told == f"bytes {position}-{position}/{position + 1}":  # the usual one
        return position + 1
    match = _CONTENT_RANGE.fullmatch(told)
    if match is None:
        raise ProtocolError(answer.method, answer.path, "answered 206 without a proper Content-Range")
    total = None if match["total"] == "*" else int(match["total"])
    if int(match["first"]) != position and total in {None, position + 1}:
        raise ProtocolError(answer.method, answer.path, "answered with another range than asked for")
    return total

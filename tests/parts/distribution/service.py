"""The registry's HTTP service: a function from a question to an answer, with a storage behind it."""

import re
import urllib.parse
from collections.abc import Callable, Mapping

from sample.storage import Storage
from tests.parts.distribution import names
from tests.parts.distribution.answers import (
    JSON,
    Answer,
    Handler,
    Question,
    json_answer,
    refusal_answer,
    text_error,
)
from tests.parts.distribution.blob_service import BlobService
from tests.parts.distribution.blobs import BlobStore
from tests.parts.distribution.errors import Refusal, UnknownError
from tests.parts.distribution.manifest_service import ManifestService
from tests.parts.distribution.upload_service import UploadService

MAX_PAGE = 1000
# The same names as in the source, without its `[-]*`, on which a backtracking matcher hangs.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_NAME = rf"(?P<name>(?:{_DOMAIN}(?:\.{_DOMAIN})*(?::[0-9]+)?/)?{_PART}(?:/{_PART})*)"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,}"
_REFERENCE = rf"(?P<reference>\w[\w.-]{{0,127}}|{_DIGEST})"


class Service:
    """What answers under `/v2/`."""

    def __init__(self, storage: Storage, *, cache: bool, delete: bool = True) -> None:
        self._storage = storage
        store = BlobStore(storage, cache=cache)
        manifests, blobs, uploads = (
            ManifestService(store, delete=delete),
            BlobService(store, delete=delete),
            UploadService(store),
        )
        routes: dict[str, Callable[..., Mapping[str, Handler]]] = {
            r"/v2/": lambda: {"*": _base},
            rf"/v2/{_NAME}/tags/list": self._tags,
            rf"/v2/{_NAME}/manifests/{_REFERENCE}": manifests.handlers,
            rf"/v2/{_NAME}/blobs/(?P<digest>{_DIGEST})": blobs.handlers,
            rf"/v2/{_NAME}/blobs/uploads/": uploads.opening,
            rf"/v2/{_NAME}/blobs/uploads/(?P<upload>[a-zA-Z0-9-_.=]+)": uploads.handlers,
            r"/v2/_catalog": lambda: {"GET": self._catalog},
        }
        self._routes = [(re.compile(pattern, re.ASCII), handlers) for pattern, handlers in routes.items()]

    def answer(self, question: Question) -> Answer:
        """Answer a request.

        Raises:
            PanicError: the connection would be closed without an answer.

        """
        try:
            answer = self._route(question)
        except Refusal as refusal:
            answer = refusal_answer(refusal)
        except UnknownError as error:
            answer = refusal_answer(Refusal.of("UNKNOWN", error.detail))
        answer = answer.with_headers(Docker_Distribution_Api_Version="registry/2.0")
        return Answer(answer.status, answer.headers) if question.method == "HEAD" else answer

    def _route(self, question: Question) -> Answer:
        for pattern, handlers_of in self._routes:
            if found := pattern.fullmatch(question.path):
                handlers = handlers_of(**found.groupdict())
                handler = handlers.get(question.method) or handlers.get("*")
                if handler is None:
                    return text_error(405, "Method not allowed", Allow=", ".join(sorted(handlers)))
                return handler(question)
        return text_error(404, "404 page not found")

    def _catalog(self, question: Question) -> Answer:
        size, last = _page_size(question.query.get("n", "")), question.query.get("last", "")
        found, more = names.page(self._storage, last, size) if size else ([], False)
        answer = json_answer({"repositories": found})
        if not more:
            return answer
        query = urllib.parse.urlencode({"last": found[-1], "n": size})
        return answer.with_headers(Link=f'</v2/_catalog?{query}>; rel="next"')

    def _tags(self, name: str) -> Mapping[str, Handler]:
        def listing(_question: Question) -> Answer:
            try:
                tags = names.tags(self._storage, name)
            except FileNotFoundError:
                raise Refusal.of("NAME_UNKNOWN", {"name": name}) from None
            return json_answer({"name": name, "tags": tags or None})

        return {"GET": listing}


def _base(_question: Question) -> Answer:
    return Answer(200, {"Content-Type": JSON, "Content-Length": "2"}, b"{}")


def _page_size(asked: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", asked):
        return 100
    if (size := int(asked)) > MAX_PAGE:
        raise Refusal.of("PAGINATION_NUMBER_INVALID", {"n": size})
    return size if size >= 0 else 100

"""The registry's HTTP service: a function from a question to an answer, with a storage behind it."""

import re
import urllib.parse
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from sample import media_types as types
from sample import storage as layout
from sample.content import digest_of
from sample.storage import Storage
from tests.parts.distribution import names
from tests.parts.distribution.answers import Answer, Question, json_answer, refusal_answer, text_error
from tests.parts.distribution.blobs import MANIFEST_LINKS, BlobStore, Stat, is_digest
from tests.parts.distribution.errors import Problem, Refusal, UnknownBlobError, UnknownError
from tests.parts.distribution.manifests import Parsed, parse_pushed, parse_stored
from tests.parts.distribution.ranges import serve_content

MAX_PAGE = 1000
# The same names as in the source, without its `[-]*`, on which a backtracking matcher hangs.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_DOMAIN = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_NAME = rf"(?P<name>(?:{_DOMAIN}(?:\.{_DOMAIN})*(?::[0-9]+)?/)?{_PART}(?:/{_PART})*)"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9A-Fa-f]{32,}"
_STORED_PATH = re.compile(r"[A-Za-z0-9._-]+")

Handler = Callable[[Question], Answer]


class Service:
    """What answers under `/v2/`."""

    def __init__(self, storage: Storage, *, cache: bool, delete: bool = True) -> None:
        self.storage = storage
        self._blobs = BlobStore(storage, cache=cache)
        self._delete = delete
        self._routes: tuple[tuple[re.Pattern[str], Callable[..., Mapping[str, Handler]]], ...] = (
            (re.compile(r"/v2/"), lambda: {"*": self._base}),
            (re.compile(rf"/v2/{_NAME}/tags/list"), self._tags),
            (
                re.compile(rf"/v2/{_NAME}/manifests/(?P<reference>[\w][\w.-]{{0,127}}|{_DIGEST})"),
                self._manifest,
            ),
            (re.compile(rf"/v2/{_NAME}/blobs/(?P<digest>{_DIGEST})"), self._blob),
            (re.compile(rf"/v2/{_NAME}/blobs/uploads/"), self._uploads),
            (re.compile(rf"/v2/{_NAME}/blobs/uploads/(?P<upload>[a-zA-Z0-9-_.=]+)"), self._upload),
            (re.compile(r"/v2/_catalog"), lambda: {"GET": self._catalog}),
        )

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
        return Answer(answer.status, answer.headers, b"") if question.method == "HEAD" else answer

    def _route(self, question: Question) -> Answer:
        for pattern, handlers_of in self._routes:
            if found := pattern.fullmatch(question.path):
                handlers = handlers_of(**found.groupdict())
                handler = handlers.get(question.method) or handlers.get("*")
                if handler is None:
                    return text_error(405, "Method not allowed", Allow=", ".join(sorted(handlers)))
                return handler(question)
        return text_error(404, "404 page not found")

    @staticmethod
    def _base(question: Question) -> Answer:
        return Answer(200, {"Content-Type": "application/json; charset=utf-8", "Content-Length": "2"}, b"{}")

    def _catalog(self, question: Question) -> Answer:
        size, last = _page_size(question.query.get("n", "")), question.query.get("last", "")
        found, more = names.page(self.storage, last, size) if size else ([], False)
        answer = json_answer({"repositories": found})
        if not more:
            return answer
        query = urllib.parse.urlencode({"last": found[-1], "n": size})
        return answer.with_headers(Link=f'</v2/_catalog?{query}>; rel="next"')

    def _tags(self, name: str) -> Mapping[str, Handler]:
        def listing(question: Question) -> Answer:
            try:
                tags = names.tags(self.storage, name)
            except FileNotFoundError:
                raise Refusal.of("NAME_UNKNOWN", {"name": name}) from None
            return json_answer({"name": name, "tags": tags or None})

        return {"GET": listing}

    def _manifest(self, name: str, reference: str) -> Mapping[str, Handler]:
        def get(question: Question) -> Answer:
            return self._get_manifest(question, name, reference)

        def put(question: Question) -> Answer:
            return self._put_manifest(question, name, reference)

        def delete(question: Question) -> Answer:
            return self._delete_manifest(name, reference)

        return {"GET": get, "HEAD": get, "PUT": put, "DELETE": delete}

    def _get_manifest(self, question: Question, name: str, reference: str) -> Answer:
        by_tag = not is_digest(reference)
        digest = self._resolve(name, reference) if by_tag else reference
        if question.header("if-none-match") in (digest, f'"{digest}"'):
            return Answer(304)
        try:
            data = self._blobs.read_manifest(name, digest)
        except UnknownBlobError:
            raise Refusal.of("MANIFEST_UNKNOWN", {"Name": name, "Revision": digest}) from None
        parsed = parse_stored(data)
        _check_accept(question, parsed, by_tag=by_tag)
        return Answer(
            200,
            {
                "Content-Type": parsed.media_type,
                "Content-Length": str(len(data)),
                "Docker-Content-Digest": digest,
                "Etag": f'"{digest}"',
            },
            data,
        )

    def _resolve(self, name: str, tag: str) -> str:
        if not _STORED_PATH.fullmatch(tag):  # a digest that is none is taken for a tag
            path = f"/{layout.tag_link(name, tag)}"
            raise UnknownError({"Path": path, "DriverName": "filesystem"})
        try:
            return self._blobs.read_link(layout.tag_link(name, tag))
        except FileNotFoundError:
            raise Refusal.of("MANIFEST_UNKNOWN", {"Tag": tag}) from None

    def _put_manifest(self, question: Question, name: str, reference: str) -> Answer:
        content_type = question.header("content-type").partition(";")[0].strip()
        try:
            parsed = parse_pushed(question.body, content_type)
        except UnknownError as error:
            raise Refusal.of("MANIFEST_INVALID", error.detail) from None
        digest = digest_of(question.body)
        if is_digest(reference) and reference != digest:
            raise Refusal.of("DIGEST_INVALID")
        self._verify(name, parsed)
        self._blobs.put_manifest(name, question.body)
        if not is_digest(reference):
            self._blobs.tag(name, reference, digest)
        location = f"http://{question.host}/v2/{name}/manifests/{digest}"
        headers = {"Location": location, "Docker-Content-Digest": digest, "Content-Length": "0"}
        return Answer(201, headers)

    def _verify(self, name: str, parsed: Parsed) -> None:
        if parsed.schema != 2:
            raise UnknownError
        problems: list[Problem] = []
        for reference in parsed.references:
            problems += self._problems_of(name, parsed, reference)
        if problems:
            raise Refusal(*problems)

    def _problems_of(self, name: str, parsed: Parsed, reference: Mapping[str, Any]) -> list[Problem]:
        digest = reference.get("digest", "")
        unknown = Problem("MANIFEST_BLOB_UNKNOWN", digest or None)
        if reference.get("urls") and parsed.media_type not in types.INDEXES:
            return []
        if not reference.get("urls") and reference.get("mediaType") == types.DOCKER_FOREIGN_LAYER:
            return [Problem("UNKNOWN"), Problem("UNKNOWN", {}), unknown]
        if not is_digest(digest):
            return [unknown]
        try:
            if parsed.media_type in types.INDEXES:
                self._blobs.stat_linked(name, digest, MANIFEST_LINKS)
            else:
                self._blobs.stat_blob(name, digest)
        except UnknownBlobError:
            return [unknown]
        except UnknownError:
            return [Problem("UNKNOWN"), Problem("UNKNOWN", {}), unknown]
        return []

    def _delete_manifest(self, name: str, reference: str) -> Answer:
        if not is_digest(reference):
            raise Refusal.of("UNKNOWN")
        if not self._delete:
            raise Refusal.of("UNSUPPORTED")
        try:
            self._blobs.stat_linked(name, reference, MANIFEST_LINKS)
        except UnknownBlobError:
            raise Refusal.of("MANIFEST_UNKNOWN") from None
        for link in MANIFEST_LINKS:
            if self.storage.exists(link(name, reference)):
                self.storage.remove(link(name, reference))
        for tag in self.tags_of(name, reference):
            self.storage.remove_tree(f"{layout.tags_folder(name)}/{tag}")
        return Answer(202, {"Content-Length": "0"})

    def tags_of(self, name: str, digest: str) -> list[str]:
        """Return the tags that point to a manifest now (`tagStore.Lookup`)."""
        try:
            tags = names.tags(self.storage, name)
        except FileNotFoundError:
            return []
        return [tag for tag in tags if self._target(name, tag) == digest]

    def _target(self, name: str, tag: str) -> str | None:
        try:
            return self._blobs.read_link(layout.tag_link(name, tag))
        except FileNotFoundError:
            return None

    def _blob(self, name: str, digest: str) -> Mapping[str, Handler]:
        if not is_digest(digest):
            raise Refusal.of("DIGEST_INVALID", {})

        def get(question: Question) -> Answer:
            return self._get_blob(question, name, digest)

        def delete(question: Question) -> Answer:
            raise NotImplementedError("deleting a blob")

        return {"GET": get, "HEAD": get, "DELETE": delete}

    def _get_blob(self, question: Question, name: str, digest: str) -> Answer:
        if any(header.startswith("if-") for header in question.headers):
            raise NotImplementedError("conditions on a blob")
        try:
            linked = self._blobs.stat_blob(name, digest)
        except UnknownBlobError:
            raise Refusal.of("BLOB_UNKNOWN", digest) from None
        stat = self._stat_to_serve(name, linked)
        headers = {
            "Etag": f'"{stat.digest}"',
            "Cache-Control": "max-age=31536000",
            "Docker-Content-Digest": stat.digest,
            "Content-Type": "application/octet-stream",
        }
        return serve_content(self._blobs.read_data(stat.digest), stat.size, question.header("range"), headers)

    def _stat_to_serve(self, name: str, linked: Stat) -> Stat:
        # It looks twice more: for the target's own link, and for the data of all repositories.
        try:
            return self._blobs.stat_data(self._blobs.stat_blob(name, linked.digest).digest)
        except UnknownBlobError as error:
            raise UnknownError from error

    def _uploads(self, name: str) -> Mapping[str, Handler]:
        def post(question: Question) -> Answer:
            digest, source = question.query.get("mount", ""), question.query.get("from", "")
            if digest and source and (mounted := self._mount(question, name, digest, source)):
                return mounted
            upload = str(uuid.uuid4())
            self.storage.write(f"{_upload_folder(name, upload)}/startedat", b"2026-01-01T00:00:00Z")
            self.storage.write(f"{_upload_folder(name, upload)}/data", b"")
            return _upload_answer(question, name, upload, 202, 0)

        return {"POST": post}

    def _mount(self, question: Question, name: str, digest: str, source: str) -> Answer | None:
        try:
            self._blobs.mount_blob(name, digest, source)
        except (UnknownBlobError, UnknownError):
            return None
        return _blob_created(question, name, digest)

    def _upload(self, name: str, upload: str) -> Mapping[str, Handler]:
        folder = _upload_folder(name, upload)
        if not self.storage.exists(folder):
            raise Refusal.of("BLOB_UPLOAD_UNKNOWN", {})

        def patch(question: Question) -> Answer:
            data = self.storage.read(f"{folder}/data") + question.body
            self.storage.write(f"{folder}/data", data)
            return _upload_answer(question, name, upload, 202, len(data))

        def put(question: Question) -> Answer:
            digest = question.query.get("digest", "")
            if not is_digest(digest):
                raise Refusal.of("DIGEST_INVALID", "digest parsing failed" if digest else "digest missing")
            patch(question)
            try:
                self._blobs.put_blob(name, f"{folder}/data", digest)
            except UnknownBlobError:
                raise Refusal.of("DIGEST_INVALID", {"Digest": digest, "Reason": {}}) from None
            self.storage.remove_tree(folder)
            return _blob_created(question, name, digest)

        def delete(question: Question) -> Answer:
            self.storage.remove_tree(folder)
            return Answer(204, {"Docker-Upload-Uuid": upload})

        return {"PATCH": patch, "PUT": put, "DELETE": delete}


def _page_size(asked: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", asked):
        return 100
    if (size := int(asked)) > MAX_PAGE:
        raise Refusal.of("PAGINATION_NUMBER_INVALID", {"n": size})
    return size if size >= 0 else 100


def _check_accept(question: Question, parsed: Parsed, *, by_tag: bool) -> None:
    accepted = {
        part.partition(";")[0].strip()
        for value in question.headers.get("accept", ())
        for part in value.split(",")
    }
    if parsed.media_type in accepted:
        return
    if parsed.needs_accept:
        what, many = ("index", "indexes") if parsed.media_type == types.OCI_INDEX else ("manifest",) * 2
        many = many if what == "index" else "manifests"
        message = f"OCI {what} found, but accept header does not support OCI {many}"
        raise Refusal.of("MANIFEST_UNKNOWN", message=message)
    if by_tag and parsed.media_type in (types.DOCKER_MANIFEST, types.DOCKER_INDEX):
        raise NotImplementedError("rewriting as schema 1")


def _upload_folder(name: str, upload: str) -> str:
    return f"{layout.repository_folder(name)}/_uploads/{upload}"


def _upload_answer(question: Question, name: str, upload: str, status: int, size: int) -> Answer:
    location = f"http://{question.host}/v2/{name}/blobs/uploads/{upload}?_state=opaque"
    return Answer(
        status,
        {
            "Location": location,
            "Docker-Upload-Uuid": upload,
            "Range": f"0-{max(size - 1, 0)}",
            "Content-Length": "0",
        },
    )


def _blob_created(question: Question, name: str, digest: str) -> Answer:
    location = f"http://{question.host}/v2/{name}/blobs/{digest}"
    return Answer(201, {"Location": location, "Docker-Content-Digest": digest, "Content-Length": "0"})

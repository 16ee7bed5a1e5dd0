"""Manifests over HTTP (`handlers/manifests.go`)."""

from collections.abc import Mapping
from typing import Any

from sample import media_types as types
from sample import storage as layout
from sample.content import digest_of
from tests.parts.distribution import names
from tests.parts.distribution.answers import Answer, Handler, Question
from tests.parts.distribution.blobs import MANIFEST_LINKS, BlobStore, is_digest
from tests.parts.distribution.errors import (
    InvalidDigestError,
    NotModelledError,
    Problem,
    Refusal,
    UnknownBlobError,
    UnknownError,
)
from tests.parts.distribution.manifests import Parsed, parse_pushed, parse_stored


class ManifestService:
    """Serving, storing and deleting manifests."""

    def __init__(self, store: BlobStore, *, delete: bool) -> None:
        self._store = store
        self._may_delete = delete

    def handlers(self, name: str, reference: str) -> Mapping[str, Handler]:
        """Return what each method does to one manifest."""

        def get(question: Question) -> Answer:
            return self._get(question, name, reference)

        def put(question: Question) -> Answer:
            return self._put(question, name, reference)

        def delete(_question: Question) -> Answer:
            return self._delete(name, reference)

        return {"GET": get, "HEAD": get, "PUT": put, "DELETE": delete}

    def _get(self, question: Question, name: str, reference: str) -> Answer:
        by_tag = not is_digest(reference)  # so a digest of the wrong length is a tag
        digest = self._resolve(name, reference) if by_tag else reference
        if question.header("if-none-match") in (digest, f'"{digest}"'):
            return Answer(304)  # before it has looked whether there is such a manifest
        try:
            data = self._store.read_manifest(name, digest)
        except UnknownBlobError:
            raise Refusal.of("MANIFEST_UNKNOWN", {"Name": name, "Revision": digest}) from None
        parsed = parse_stored(data)
        _check_accept(question, parsed, by_tag=by_tag)
        headers = {
            "Content-Type": parsed.media_type,
            "Content-Length": str(len(data)),
            "Docker-Content-Digest": digest,
            "Etag": f'"{digest}"',
        }
        return Answer(200, headers, data)

    def _resolve(self, name: str, tag: str) -> str:
        try:
            return self._store.read_link(layout.tag_link(name, tag))
        except FileNotFoundError:
            raise Refusal.of("MANIFEST_UNKNOWN", {"Tag": tag}) from None

    def _put(self, question: Question, name: str, reference: str) -> Answer:
        content_type = question.header("content-type").partition(";")[0].strip()
        try:
            parsed = parse_pushed(question.body, content_type)
        except UnknownError as error:
            raise Refusal.of("MANIFEST_INVALID", error.detail) from None
        digest = digest_of(question.body)
        if is_digest(reference) and reference != digest:
            raise Refusal.of("DIGEST_INVALID")
        self._verify(name, parsed)
        self._store.put_manifest(name, question.body)
        if not is_digest(reference):
            self._store.tag(name, reference, digest)
        location = f"http://{question.host}/v2/{name}/manifests/{digest}"
        return Answer(201, {"Location": location, "Docker-Content-Digest": digest, "Content-Length": "0"})

    def _verify(self, name: str, parsed: Parsed) -> None:
        if parsed.schema != 2:
            raise UnknownError
        found = [self._problems_of(name, parsed, reference) for reference in parsed.references]
        if problems := [problem for some in found for problem in some]:
            raise Refusal(*problems)

    def _problems_of(self, name: str, parsed: Parsed, reference: Mapping[str, Any]) -> list[Problem]:
        digest = reference.get("digest", "")
        of_index = parsed.media_type in types.INDEXES
        unknown = Problem("MANIFEST_BLOB_UNKNOWN", digest)
        unexpected = [Problem("UNKNOWN"), Problem("UNKNOWN", {}), unknown]
        if not of_index and reference.get("urls"):
            return []
        if not of_index and reference.get("mediaType") == types.DOCKER_FOREIGN_LAYER:
            return unexpected
        try:
            if of_index:
                self._store.stat_linked(name, digest, MANIFEST_LINKS)
            else:
                self._store.stat_blob(name, digest)
        except UnknownBlobError:
            return [unknown]
        except InvalidDigestError:
            return [Problem("DIGEST_INVALID"), unknown]
        except UnknownError:
            return unexpected
        return []

    def _delete(self, name: str, reference: str) -> Answer:
        if not self._may_delete:
            raise Refusal.of("UNSUPPORTED")
        if not is_digest(reference):
            raise Refusal.of("DIGEST_INVALID")
        try:
            self._store.stat_linked(name, reference, MANIFEST_LINKS)
        except UnknownBlobError:
            raise Refusal.of("MANIFEST_UNKNOWN") from None
        self._store.remove_links(name, reference, MANIFEST_LINKS)
        for tag in names.tags_of(self._store, name, reference):
            self._store.storage.remove_tree(f"{layout.tags_folder(name)}/{tag}")
        return Answer(202, {"Content-Length": "0"})


def _check_accept(question: Question, parsed: Parsed, *, by_tag: bool) -> None:
    accepted = {
        part.partition(";")[0].strip()
        for value in question.headers.get("accept", ())
        for part in value.split(",")
    }
    if parsed.media_type in accepted:
        return
    if parsed.needs_accept:
        one, many = (
            ("index", "indexes") if parsed.media_type == types.OCI_INDEX else ("manifest", "manifests")
        )
        message = f"OCI {one} found, but accept header does not support OCI {many}"
        raise Refusal.of("MANIFEST_UNKNOWN", message=message)
    if by_tag and parsed.media_type in (types.DOCKER_MANIFEST, types.DOCKER_INDEX):
        raise NotModelledError("rewriting as schema 1")

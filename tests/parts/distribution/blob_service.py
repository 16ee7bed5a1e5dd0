"""Blobs over HTTP (`handlers/blob.go`, `storage/blobserver.go`)."""

from collections.abc import Mapping

from tests.parts.distribution.answers import Answer, Handler, Question
from tests.parts.distribution.blobs import BlobStore, Stat, is_digest
from tests.parts.distribution.errors import NotModelledError, Refusal, UnknownBlobError, UnknownError
from tests.parts.distribution.ranges import serve_content


class BlobService:
    """Serving and deleting blobs."""

    def __init__(self, store: BlobStore, *, delete: bool) -> None:
        self._store = store
        self._may_delete = delete

    def handlers(self, name: str, digest: str) -> Mapping[str, Handler]:
        """Return what each method does to one blob."""
        if not is_digest(digest):
            raise Refusal.of("DIGEST_INVALID", {})

        def get(question: Question) -> Answer:
            return self._get(question, name, digest)

        def delete(_question: Question) -> Answer:
            return self._delete(name, digest)

        return {"GET": get, "HEAD": get, "DELETE": delete}

    def _get(self, question: Question, name: str, digest: str) -> Answer:
        if any(header.startswith("if-") for header in question.headers):
            raise NotModelledError("conditions on a blob")
        try:
            linked = self._store.stat_blob(name, digest)
        except UnknownBlobError:
            raise Refusal.of("BLOB_UNKNOWN", digest) from None
        stat = self._stat_to_serve(name, linked)
        headers = {
            "Etag": f'"{stat.digest}"',
            "Cache-Control": "max-age=31536000",
            "Docker-Content-Digest": stat.digest,
            "Content-Type": "application/octet-stream",
        }
        data = self._store.read_data(stat.digest)
        return serve_content(data, stat.size, question.header("range"), headers)

    def _delete(self, name: str, digest: str) -> Answer:
        if not self._may_delete:
            raise Refusal.of("UNSUPPORTED")
        try:
            self._store.stat_blob(name, digest)
        except UnknownBlobError:
            raise Refusal.of("BLOB_UNKNOWN") from None
        self._store.forget_blob(name, digest)
        return Answer(202, {"Content-Length": "0"})

    def _stat_to_serve(self, name: str, linked: Stat) -> Stat:
        # It looks twice more: for the link of what the link points to, and for the data anywhere.
        try:
            return self._store.stat_data(self._store.stat_blob(name, linked.digest).digest)
        except UnknownBlobError as error:
            raise UnknownError from error

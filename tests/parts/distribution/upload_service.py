"""Uploads of blobs over HTTP (`handlers/blobupload.go`): in one piece or in several, and mounts."""

import uuid
from collections.abc import Mapping

from sample import storage as layout
from tests.parts.distribution.answers import Answer, Handler, Question
from tests.parts.distribution.blobs import BlobStore, is_digest
from tests.parts.distribution.errors import Refusal, UnknownBlobError, UnknownError


class UploadService:
    """Taking in blobs."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._storage = store.storage

    def opening(self, name: str) -> Mapping[str, Handler]:
        """Return what opens an upload, or mounts a blob of another repository."""

        def post(question: Question) -> Answer:
            digest, source = question.query.get("mount", ""), question.query.get("from", "")
            if digest and source and self._mount(name, digest, source):
                return _created(question, name, digest)
            upload = str(uuid.uuid4())
            folder = _folder(name, upload)
            self._storage.write(f"{folder}/startedat", b"2026-01-01T00:00:00Z")
            self._storage.write(f"{folder}/data", b"")
            return _accepted(question, name, upload, 0)

        return {"POST": post}

    def handlers(self, name: str, upload: str) -> Mapping[str, Handler]:
        """Return what each method does to an open upload."""
        folder = _folder(name, upload)
        if not self._storage.exists(folder):
            raise Refusal.of("BLOB_UPLOAD_UNKNOWN", {})

        def patch(question: Question) -> Answer:
            data = self._storage.read(f"{folder}/data") + question.body
            self._storage.write(f"{folder}/data", data)
            return _accepted(question, name, upload, len(data))

        def put(question: Question) -> Answer:
            digest = question.query.get("digest", "")
            if not is_digest(digest):
                raise Refusal.of("DIGEST_INVALID", "digest parsing failed" if digest else "digest missing")
            patch(question)
            try:
                self._store.put_blob(name, f"{folder}/data", digest)
            except UnknownBlobError:
                raise Refusal.of("DIGEST_INVALID", {"Digest": digest, "Reason": {}}) from None
            self._storage.remove_tree(folder)
            return _created(question, name, digest)

        def delete(_question: Question) -> Answer:
            self._storage.remove_tree(folder)
            return Answer(204, {"Docker-Upload-Uuid": upload})

        return {"PATCH": patch, "PUT": put, "DELETE": delete}

    def _mount(self, name: str, digest: str, source: str) -> bool:
        try:
            self._store.mount_blob(name, digest, source)
        except (UnknownBlobError, UnknownError):
            return False
        return True


def _folder(name: str, upload: str) -> str:
    return f"{layout.repository_folder(name)}/_uploads/{upload}"


def _accepted(question: Question, name: str, upload: str, size: int) -> Answer:
    headers = {
        "Location": f"http://{question.host}/v2/{name}/blobs/uploads/{upload}?_state=opaque",
        "Docker-Upload-Uuid": upload,
        "Range": f"0-{max(size - 1, 0)}",
        "Content-Length": "0",
    }
    return Answer(202, headers)


def _created(question: Question, name: str, digest: str) -> Answer:
    location = f"http://{question.host}/v2/{name}/blobs/{digest}"
    return Answer(201, {"Location": location, "Docker-Content-Digest": digest, "Content-Length": "0"})

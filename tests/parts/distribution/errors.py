"""The errors that the registry answers with."""

import json
from dataclasses import dataclass
from typing import Any

STATUS = {
    "UNKNOWN": 500,
    "BLOB_UNKNOWN": 404,
    "BLOB_UPLOAD_UNKNOWN": 404,
    "DIGEST_INVALID": 400,
    "MANIFEST_BLOB_UNKNOWN": 400,
    "MANIFEST_INVALID": 400,
    "MANIFEST_UNKNOWN": 404,
    "NAME_UNKNOWN": 404,
    "PAGINATION_NUMBER_INVALID": 400,
    "UNSUPPORTED": 405,
}
MESSAGE = {
    "UNKNOWN": "unknown error",
    "BLOB_UNKNOWN": "blob unknown to registry",
    "BLOB_UPLOAD_UNKNOWN": "blob upload unknown to registry",
    "DIGEST_INVALID": "provided digest did not match uploaded content",
    "MANIFEST_BLOB_UNKNOWN": "blob unknown to registry",
    "MANIFEST_INVALID": "manifest invalid",
    "MANIFEST_UNKNOWN": "manifest unknown",
    "NAME_UNKNOWN": "repository name not known to registry",
    "PAGINATION_NUMBER_INVALID": "invalid number of results requested",
    "UNSUPPORTED": "The operation is unsupported.",
}


@dataclass(frozen=True)
class Problem:
    """One entry of an error body; a detail of None is left out."""

    code: str
    detail: Any = None
    message: str | None = None

    def document(self) -> dict[str, Any]:
        document = {"code": self.code, "message": self.message or MESSAGE[self.code]}
        return document if self.detail is None else {**document, "detail": self.detail}


class NotModelledError(Exception):
    """What is asked is none of what the model is compared with the real registry in.

    It refuses rather than guess: a test that needs this has to be run on the real one.
    """


class Refusal(Exception):  # noqa: N818 - an answer as good as any
    """An answer of the registry that is an error."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = problems

    @classmethod
    def of(cls, code: str, detail: Any = None, message: str | None = None) -> "Refusal":
        return cls(Problem(code, detail, message))

    @property
    def status(self) -> int:
        """The first entry's: the registry looks no further."""
        return STATUS[self.problems[0].code]

    @property
    def body(self) -> bytes:
        document = {"errors": [problem.document() for problem in self.problems]}
        return json.dumps(document, separators=(",", ":")).encode() + b"\n"


class UnknownError(Exception):
    """Something the registry has no better answer to than `UNKNOWN`; `detail` is what Go shows of it."""

    def __init__(self, detail: Any = None) -> None:
        self.detail = {} if detail is None else detail
        super().__init__(self.detail)


class InvalidDigestError(UnknownError):
    """What should be a digest has not the form of one (`digest.ErrDigestInvalidFormat`)."""


class UnknownBlobError(Exception):
    """There is no such link or no such data (`distribution.ErrBlobUnknown`)."""


class PanicError(Exception):
    """The registry's handler panics: the connection is closed without an answer."""

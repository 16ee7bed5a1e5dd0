"""Files that hold secrets: read at the start, so that a wrong one is told then."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from exporter.settings.values import WrongValueError

_LONGEST_SECRET: Final = 64 * 1024
_LONGEST_DOCUMENT: Final = 4 * 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SECRET_FIELDS: Final = ("auth", "password", "identitytoken", "registrytoken")


def read_secret(path: Path, key: str) -> str:
    """Read a secret from a file, less one trailing newline; `key` is the setting that names the file."""
    content = _read(path, _LONGEST_SECRET, key)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        # No cause: it would hold the secret.
        raise WrongValueError("expected a file of UTF-8 text", key) from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text or len(content) > _LONGEST_SECRET or _CONTROL.search(text):
        raise WrongValueError("expected a file with one line of text", key)
    return text


def secrets_of_docker_config(path: Path, key: str) -> frozenset[str]:
    """Read all secrets that a Docker `config.json` itself holds."""
    content = _read(path, _LONGEST_DOCUMENT, key)
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or len(content) > _LONGEST_DOCUMENT:
        # No cause: it would hold the secrets.
        raise WrongValueError("expected a file with a JSON object, as Docker writes it", key)
    entries = document.get("auths")
    if not isinstance(entries, dict):
        return frozenset()
    return frozenset(secret for entry in entries.values() for secret in _secrets_of(entry) if secret)


def _secrets_of(entry: object) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        return
    for name in _SECRET_FIELDS:
        secret = entry.get(name)
        if isinstance(secret, str):
            yield secret
            if name == "auth":
                decoded = base64.b64decode(secret + "==").decode(errors="replace")
                yield decoded.partition(":")[2]


def _read(path: Path, longest: int, key: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(longest + 1)
    except OSError as error:
        raise WrongValueError(f"expected a file that can be read: {error.strerror}", key) from error

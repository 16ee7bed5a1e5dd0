"""Lists as settings have them: in YAML or JSON, or words in a variable.

Every function raises `WrongValueError`, whose text says what was expected.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

from exporter.oci import quoted
from exporter.settings.values import WrongValueError, either, is_host, is_repository

GLOB_EXPECTED: Final = "expected a glob such as team/*"
_GLOB = re.compile(r"[!-~]{1,300}")


def read_json(text: str) -> object:
    """Read a document that a variable holds."""
    try:
        return json.loads(text, object_pairs_hook=_without_repetition)
    except json.JSONDecodeError as error:
        raise WrongValueError(f"expected JSON: {error.msg} at character {error.pos}") from None
    except WrongValueError:
        raise
    except (ValueError, RecursionError):
        # A number too long to convert, nesting too deep to follow.
        raise WrongValueError("expected JSON that can be read") from None


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise WrongValueError(f"expected JSON with each key once, but {quoted(key)} stands twice")
    return dict(pairs)


def items_of(value: object, item: str) -> list[object]:
    """Read a list, from a variable as JSON or as words separated by commas or spaces.

    `item` is what to call one of them.
    """
    if isinstance(value, str):
        value = read_json(value) if value.lstrip().startswith("[") else value.replace(",", " ").split()
    if not isinstance(value, list | tuple) or not value:
        raise WrongValueError(f"expected a list of at least one {item}")
    return list(value)


def _repositories(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and not value:
        return ()  # which the registry's images may make sense of
    names = items_of(value, "repository")
    for name in names:
        if not is_repository(name):
            raise WrongValueError("expected names of repositories, such as team/app", value=str(name))
    return tuple(dict.fromkeys(map(str, names)))


def _globs(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    globs = items_of(value, "glob")
    for glob in globs:
        if not _is_glob(glob):
            raise WrongValueError("expected globs such as team/*", value=str(glob))
    return tuple(dict.fromkeys(map(str, globs)))


def _is_glob(value: object) -> bool:
    return isinstance(value, str) and _GLOB.fullmatch(value) is not None


def _glob(value: object) -> str:
    if not _is_glob(value):
        raise WrongValueError(GLOB_EXPECTED)
    return str(value)


def _hosts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    hosts = items_of(value, "host")
    for host in hosts:
        if not isinstance(host, str) or not is_host(host):
            raise WrongValueError("expected hosts such as auth.example.com or auth:5001", value=str(host))
    return tuple(dict.fromkeys(_as_in_addresses(str(host).lower()) for host in hosts))


def _as_in_addresses(host: str) -> str:
    # Without a port there are no brackets around an IPv6 address.
    return host.strip("[]") if host.endswith("]") else host


def list_schema(item: Mapping[str, Any], *, least: int = 1, nothing: bool = True) -> WithJsonSchema:
    """Give the JSON Schema of a list: as YAML has it or as words of a text; `nothing`: or as null."""
    forms: list[dict[str, Any]] = [
        {"type": "array", "items": {"type": "string", **item}, "minItems": least},
        {"type": "string", "minLength": 1},
    ]
    return WithJsonSchema(either(*forms, *([{"type": "null"}] if nothing else [])))


_GLOB_TEXT: Final = {"pattern": f"^{_GLOB.pattern}$"}

Repositories = Annotated[
    tuple[str, ...],
    BeforeValidator(_repositories),
    list_schema({"pattern": "^[a-z0-9][a-z0-9._/-]*$"}, least=0, nothing=False),
]
Glob = Annotated[str, BeforeValidator(_glob), WithJsonSchema({"type": "string", **_GLOB_TEXT})]
Globs = Annotated[tuple[str, ...], BeforeValidator(_globs), list_schema(_GLOB_TEXT)]
Hosts = Annotated[tuple[str, ...], BeforeValidator(_hosts), list_schema({"pattern": "^[^/\\s]+$"})]

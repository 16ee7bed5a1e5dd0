"""The kinds of values that settings have: each is read from a text or from what YAML makes of it.

Every function raises `WrongValueError`, whose text says what was expected.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from ipaddress import AddressValueError, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, SecretStr, WithJsonSchema

from exporter.oci import Digest, InvalidValueError, check_host, check_repository
from exporter.settings.durations import DURATION_PATTERN, format_duration, parse_duration

MASK: Final = "***"
URL_EXPECTED: Final = "expected an http or https address such as https://registry.example.com"
_HIGHEST_PORT: Final = 65535
_NAME = re.compile(r"[A-Za-z0-9._:\[\]-]{1,100}")
_URL_TEXT = re.compile(r"[!-~]{1,2000}")
_URL_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:-]+)*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_LONGEST_COMMENT: Final = 1000
_HIGHEST_RATE: Final = 100_000
_RATE = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WORDS_FOR_TRUTH: Final = {"true": True, "false": False}

E = TypeVar("E", bound=Enum)


class WrongValueError(ValueError):
    """A value is not what was expected; the text says what was.

    `key` is the key at fault where that is not the one being read, `value` what to show where that is not
    what was given.
    """

    def __init__(self, text: str, key: str | None = None, value: str | None = None) -> None:
        super().__init__(text)
        self.key = key
        self.value = value


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where to listen; an empty `host` means every address, of IPv4 and IPv6. Port 0 is any free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `:PORT`, `HOST:PORT` or `[IPV6]:PORT`."""
        host, colon, port = text.rpartition(":")
        if not (colon and re.fullmatch(r"[0-9]{1,5}", port) and int(port) <= _HIGHEST_PORT):
            raise WrongValueError(
                f"expected :PORT, HOST:PORT or [IPV6]:PORT with a port from 0 to {_HIGHEST_PORT}"
            )
        if not host:
            return cls("", int(port))
        if not is_host(host) or ":" in host.rpartition("]")[2]:
            raise WrongValueError("expected :PORT, HOST:PORT or [IPV6]:PORT")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def default_name(url: str) -> str:
    """Name a registry after its host and, where the URL has one, its port."""
    return urlsplit(url).netloc.lower()


def _name(value: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise WrongValueError("expected a name of up to 100 letters, digits and . _ - : [ ]")
    return value


def _url(value: object) -> str:
    if not isinstance(value, str) or not _URL_TEXT.fullmatch(value):
        raise WrongValueError(URL_EXPECTED)
    scheme, separator, rest = value.partition("://")
    if not separator or scheme.lower() not in {"http", "https"}:
        raise WrongValueError(URL_EXPECTED)
    if "?" in rest or "#" in rest:
        raise WrongValueError("expected an address without a query or a fragment")
    if "@" in rest:
        raise WrongValueError(
            "expected an address without a user; username and password_file are keys of their own"
        )
    host, slash, path = rest.partition("/")
    path = f"{slash}{path}".rstrip("/")
    if not is_host(host) or re.search(":0+$", host):
        raise WrongValueError(URL_EXPECTED)
    if not _URL_PATH.fullmatch(path):
        raise WrongValueError("expected an address with a plain path, or with none")
    return f"{scheme.lower()}://{host.lower()}{path}"


def is_host(text: str) -> bool:
    """Whether a text is a host, with or without a port."""
    try:
        check_host(text)
        if text.startswith("["):
            IPv6Address(text[1:].partition("]")[0])
    except (InvalidValueError, AddressValueError):
        return False
    return True


def is_repository(value: object) -> bool:
    """Whether a value is the name of a repository."""
    try:
        check_repository(value if isinstance(value, str) else "")
    except InvalidValueError:
        return False
    return True


def _image_host(value: object) -> str:
    host, slash, path = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not is_host(host) or (slash and not is_repository(path)):
        raise WrongValueError("expected what stands before the repository in image names, without https://")
    return f"{host}{slash}{path}"


def _digest(value: object) -> Digest:
    try:
        return Digest(value if isinstance(value, str) else "")
    except InvalidValueError as error:
        raise WrongValueError("expected a digest such as sha256:...") from error


def _day(value: object) -> date:
    if isinstance(value, date):
        return value
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise WrongValueError("expected a day such as 2026-12-31")


def _comment(value: object) -> str:
    if not isinstance(value, str) or len(value) > _LONGEST_COMMENT or _CONTROL.search(value):
        raise WrongValueError(f"expected one line of text, of at most {_LONGEST_COMMENT} characters")
    return value


def _truth(value: object) -> bool:
    if isinstance(value, str):
        value = _WORDS_FOR_TRUTH.get(value)
    if not isinstance(value, bool):
        raise WrongValueError("expected true or false")
    return value


def _rate(value: object) -> float:
    if isinstance(value, str) and _RATE.fullmatch(value):
        value = float(value)
    wrong = isinstance(value, bool) or not isinstance(value, int | float)
    if wrong or not 0 < float(str(value)) <= _HIGHEST_RATE:
        raise WrongValueError(f"expected a number greater than 0, of at most {_HIGHEST_RATE}")
    return float(str(value))


def _secret(value: object) -> object:
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise WrongValueError("expected a text; one that looks like a number stands in quotes")
    if not value or _CONTROL.search(value):
        raise WrongValueError("expected one line of text that is not empty")
    return value


def _username(value: object) -> str:
    if not isinstance(value, str) or not value or ":" in value or _CONTROL.search(value):
        raise WrongValueError("expected a user's name, without a colon")  # RFC 7617, 2
    return value


def _path(value: object) -> Path:
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise WrongValueError("expected the path of a file")
    return Path(value)


def _duration(value: object) -> float:
    try:
        return parse_duration(value if isinstance(value, str) else "")
    except ValueError as error:
        raise WrongValueError(str(error)) from error


def _positive_duration(value: object) -> float:
    seconds = _duration(value)
    if not seconds:
        raise WrongValueError("expected a duration longer than 0s")
    return seconds


def either(*schemas: Mapping[str, Any]) -> dict[str, Any]:
    """Give the JSON Schema of what may have one of several forms."""
    return {"anyOf": [*schemas]}


def whole_number(lowest: int, highest: int) -> BeforeValidator:
    """Accept a whole number within bounds, both included."""

    def read(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not lowest <= value <= highest:
            raise WrongValueError(f"expected a whole number from {lowest} to {highest}")
        return value

    schema = either(
        {"type": "integer", "minimum": lowest, "maximum": highest},
        {"type": "string", "pattern": "^[0-9]{1,12}$"},
    )
    return BeforeValidator(read, json_schema_input_type=Annotated[int, WithJsonSchema(schema)])


def one_of(choices: type[E]) -> BeforeValidator:
    """Accept the values of an enumeration."""
    return BeforeValidator(_reader_of(choices))


def _reader_of(choices: type[E]) -> Callable[[object], E]:
    *first, last = (str(choice.value) for choice in choices)
    expected = f"expected {', '.join(first)} or {last}"

    def read(value: object) -> E:
        try:
            return choices(value)
        except ValueError as error:
            raise WrongValueError(expected) from error

    return read


def _listen_address(value: object) -> ListenAddress:
    return (
        value
        if isinstance(value, ListenAddress)
        else ListenAddress.parse(value if isinstance(value, str) else "")
    )


def _masked(_secret: object) -> str:
    return MASK


def _text(pattern: str | None = None, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string"} | ({"pattern": pattern} if pattern else {}) | more)


def _duration_text(*, positive: bool) -> WithJsonSchema:
    longer = "(?=.*[1-9])" if positive else ""
    return _text(f"^{longer}{DURATION_PATTERN}$", examples=["500ms", "10s", "15m", "1h30m"])


def text_like(grammar: re.Pattern[str]) -> WithJsonSchema:
    """Tell the JSON Schema what a text matches as a whole."""
    return _text(f"^{grammar.pattern}$")


# Each is written as the file has it, and the file's JSON Schema tells what it looks like there.
_WRITTEN: Final = PlainSerializer(str, return_type=str)
_WRITTEN_DURATION: Final = PlainSerializer(format_duration, return_type=str)

Name = Annotated[str, BeforeValidator(_name), _text(f"^{_NAME.pattern}$")]
Url = Annotated[str, BeforeValidator(_url), _text("^[Hh][Tt][Tt][Pp][Ss]?://[^@?#\\s]+$")]
ImageHost = Annotated[str, BeforeValidator(_image_host), _text("^[^/\\s]+(/[^/\\s]+)*$")]
DigestText = Annotated[
    InstanceOf[Digest], BeforeValidator(_digest), _WRITTEN, _text("^[a-z0-9+._-]+:[!-~]+$")
]
Day = Annotated[date, BeforeValidator(_day), _text(f"^{_DAY.pattern}$", format="date")]
Comment = Annotated[str, BeforeValidator(_comment), _text(maxLength=_LONGEST_COMMENT)]
Truth = Annotated[
    bool, BeforeValidator(_truth), WithJsonSchema(either({"type": "boolean"}, {"enum": [*_WORDS_FOR_TRUTH]}))
]
Rate = Annotated[
    float,
    BeforeValidator(_rate),
    WithJsonSchema(
        either(
            {"type": "number", "exclusiveMinimum": 0, "maximum": _HIGHEST_RATE},
            {"type": "string", "pattern": f"^{_RATE.pattern}$"},
        )
    ),
]
Secret = Annotated[
    SecretStr,
    BeforeValidator(_secret),
    PlainSerializer(_masked, return_type=str),
    _text(minLength=1, format="password", writeOnly=True),
]
Username = Annotated[str, BeforeValidator(_username), _text("^[^:]+$")]
FilePath = Annotated[Path, BeforeValidator(_path), _text(minLength=1)]
Duration = Annotated[
    float, BeforeValidator(_positive_duration), _WRITTEN_DURATION, _duration_text(positive=True)
]
Delay = Annotated[float, BeforeValidator(_duration), _WRITTEN_DURATION, _duration_text(positive=False)]
Address = Annotated[ListenAddress, BeforeValidator(_listen_address), _WRITTEN, _text("^.*:[0-9]{1,5}$")]

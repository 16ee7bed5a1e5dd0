"""Log lines: to standard error, for people or as JSON, without secrets and without control characters."""

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final, TextIO
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_MASK: Final = "***"
_FIRST: Final = ("timestamp", "level", "logger", "event")
_OURS: Final = frozenset({"timestamp", "level", "logger"})
_OF_SEVERAL_LINES: Final = frozenset({"exception", "stack"})
_PACKAGE: Final = __name__.partition(".")[0]


class LogLevel(StrEnum):
    """The least level that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How log lines look."""

    CONSOLE = "console"
    JSON = "json"


def _escapes() -> dict[int, str]:
    bytes_ = (*range(0x20), *range(0x7F, 0xA0))
    # These end lines, or turn the direction of writing around.
    others = (0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A), *range(0xD800, 0xE000))
    return {code: f"\\x{code:02x}" for code in bytes_} | {code: f"\\u{code:04x}" for code in others}


_ESCAPES: Final = _escapes()


def printable(text: str) -> str:
    r"""Write what a terminal would obey, instead of show, as an escape: `\x1b`, `\u202e`."""
    return text.translate(_ESCAPES)


def configure_logging(
    level: LogLevel = LogLevel.INFO, form: LogFormat = LogFormat.CONSOLE, secrets: Iterable[str] = ()
) -> None:
    """Send the program's log lines of at least `level`, and the libraries' warnings, to standard error.

    Each of the `secrets` is replaced wherever it would stand, also in a traceback.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.StackInfoRenderer(),
                structlog.processors.format_exc_info,
                _cleaner(secrets),
                _in_order,
                _renderer(form),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, logging.WARNING))
    logging.getLogger(_PACKAGE).setLevel(number)
    # It warns of each retry; what comes of them is in a report, and how many there were in the metrics.
    logging.getLogger("stamina").setLevel(logging.DEBUG if level is LogLevel.DEBUG else logging.ERROR)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at that moment: whoever draws there takes the lines in."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        self.stream = sys.stderr
        super().emit(record)


def _renderer(form: LogFormat) -> Processor:
    if form is LogFormat.JSON:
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"),
        exception_formatter=structlog.dev.plain_traceback,
        sort_keys=False,
    )


def _cleaner(secrets: Iterable[str]) -> Processor:
    redact = _redactor(secrets)

    def clean(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        for key, value in event.items():
            if key in _OF_SEVERAL_LINES:
                event[key] = "\n".join(printable(line) for line in redact(str(value)).split("\n"))
            elif key not in _OURS:
                event[key] = _cleaned(value, redact)
        return event

    return clean


def _cleaned(value: object, redact: Callable[[str], str]) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {printable(redact(str(key))): _cleaned(item, redact) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_cleaned(item, redact) for item in value]
        case _:
            return printable(redact(str(value)))


def _redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    # A secret may also stand in a URL, in the text of a Python value or of JSON.
    spellings = {
        spelling
        for secret in secrets
        for spelling in (
            secret,
            quote(secret),
            quote(secret, safe=""),
            repr(secret)[1:-1],
            json.dumps(secret)[1:-1],
        )
    }
    if not spellings:
        return str
    longest_first = sorted(spellings, key=len, reverse=True)
    grammar = re.compile("|".join(map(re.escape, longest_first)))
    return lambda text: grammar.sub(_MASK, text)


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: event[key] for key in dict.fromkeys((*_FIRST, *event)) if key in event}

"""What a registry demands in `WWW-Authenticate` (RFC 9110, 11.6.1)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_LONGEST_HEADER = 16 * 1024
_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# One alternative for each thing that may come next; what fits none is skipped up to the next comma.
_LEXER = re.compile(
    rf"[\s,]*(?:(?P<name>{_WORD})[ \t]*=[ \t]*"
    rf"(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<bare>{_WORD})(?=[ \t]*(?:,|$)))"
    rf"|(?P<scheme>{_WORD})(?:[ \t]+(?P<token68>[A-Za-z0-9._~+/-]+=*)(?=[ \t]*(?:,|$)))?(?=[ \t,]|$)"
    rf"|(?P<junk>[^,]+))"
)
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One scheme with its parameters; scheme and parameter names in lower case."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Read every challenge of every header, in order; what is no challenge is left out."""
    challenges: list[Challenge] = []
    for header in headers:
        parameters: dict[str, str] | None = None  # a parameter needs a scheme before it
        for found in _LEXER.finditer(header[:_LONGEST_HEADER].rstrip(" \t,")):
            if found["scheme"]:
                parameters = {}
                challenges.append(Challenge(found["scheme"].lower(), parameters))
            elif found["name"] and parameters is not None:
                quoted = found["quoted"]
                value = _ESCAPE.sub(r"\1", quoted) if quoted is not None else found["bare"]
                parameters.setdefault(found["name"].lower(), value)
    return tuple(challenges)

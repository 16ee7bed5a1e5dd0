"""The environment: variables that begin with REGISTRY_INTEGRITY_."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from exporter.settings.given import (
    REGISTRIES,
    REGISTRY_PATHS,
    TOP_PATHS,
    Amendment,
    Entry,
    Given,
    KeyPath,
    Source,
    read_addresses,
    read_registries,
)
from exporter.settings.lists import read_json
from exporter.settings.models import Settings
from exporter.settings.values import WrongValueError

PREFIX: Final = Settings.model_config.get("env_prefix", "")
DELIMITER: Final = Settings.model_config.get("env_nested_delimiter") or "__"

# What Kubernetes tells every pod of a Service named registry-integrity-... in its namespace.
_SERVICE_LINK = re.compile(
    r"(?:[A-Z0-9_]+_)?"
    r"(?:SERVICE_HOST|SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)(?:_(?:PROTO|PORT|ADDR))?"
    r"|PORT(?==(?:tcp|udp|sctp)://))=.*",
    re.DOTALL,
)


def spelled(path: KeyPath) -> str:
    """Write a key as a variable has it, without the prefix."""
    return DELIMITER.join(path).upper()


_TOP: Final = {spelled(path): path for path in TOP_PATHS}
_OF_REGISTRIES: Final = f"{spelled(REGISTRIES)}{DELIMITER}"
# The longest first, lest the name of a section be taken for a registry's.
_ENDINGS: Final = sorted(
    ((f"{DELIMITER}{spelled(path)}", path) for path in REGISTRY_PATHS), key=lambda pair: -len(pair[0])
)


def read_environment(environment: Mapping[str, str]) -> Source:
    """Read all variables of the program. One that is known and empty counts as not set."""
    source = Source()
    for variable, text in sorted(environment.items()):
        if variable.startswith(PREFIX):
            _read_variable(source, variable.removeprefix(PREFIX), text, f"variable {variable}")
    if REGISTRIES in source.values:
        source.registries, problems = _read_list(source.values[REGISTRIES])
        source.problems += problems
    return source


def _read_variable(source: Source, name: str, text: str, origin: str) -> None:
    if name in _TOP:
        if text.strip():
            source.values[_TOP[name]] = Given(".".join(_TOP[name]), text, origin)
    elif (amendment := _amendment(name, text, origin)) is not None:
        if text.strip():
            source.amendments.append(amendment)
    elif not _SERVICE_LINK.fullmatch(f"{name}={text}"):
        key = name.lower().replace(DELIMITER, ".")
        known = REGISTRY_PATHS if key.startswith("registries.") else TOP_PATHS
        source.problems.append(Given(key, text, origin).unknown(path[-1] for path in known))


def _amendment(name: str, text: str, origin: str) -> Amendment | None:
    if not name.startswith(_OF_REGISTRIES):
        return None
    rest = name.removeprefix(_OF_REGISTRIES)
    for ending, path in _ENDINGS:
        registry = rest.removesuffix(ending)
        if registry != rest and registry:
            key = ".".join(("registries", registry.lower(), *path))
            return Amendment(registry, path, Given(key, text, origin))
    return None


def _read_list(given: Given) -> tuple[tuple[Entry, ...], list[str]]:
    text = given.value.strip()
    if not text.startswith(("[", "{")):
        return read_addresses(text.replace(",", " ").split(), given.origin), []
    try:
        document = read_json(text)
    except WrongValueError as error:
        return (), [given.problem(str(error), hidden=True)]
    return read_registries(replace(given, value=document), lambda _document, _key: given.origin)

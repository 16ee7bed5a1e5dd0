"""Which share of the repositories is this process's: told, or taken from what Kubernetes told the pod."""

import re
from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BeforeValidator, InstanceOf, PlainSerializer, WithJsonSchema

from exporter.integrity.shards import Shard
from exporter.settings.values import WrongValueError

_MOST: Final = 256
_EXPECTED: Final = f"expected I/N or auto/N, such as 0/8, with N from 1 to {_MOST} and I from 0 to N-1"
_GRAMMAR = re.compile(r"(?P<index>auto|[0-9]{1,6})/(?P<count>[0-9]{1,6})")
_NUMBER = re.compile(r"[0-9]{1,6}")
_ORDINAL = re.compile(r".*-(?P<ordinal>0|[1-9][0-9]{0,5})")
_OF_A_JOB: Final = "JOB_COMPLETION_INDEX"


def number_shard(value: object, environment: Mapping[str, str], host_name: str) -> object:
    """Put a number in the place of `auto`: that of an Indexed Job's pod, else that of a StatefulSet's.

    The latter stands at the end of the pod's host name: `HOSTNAME`, or `host_name` where that is not set.
    What is not `auto` is given back as it is.

    Raises:
        WrongValueError: there is no number, or the shard has none of that number.
    """
    match = _GRAMMAR.fullmatch(value) if isinstance(value, str) else None
    count = int(match["count"]) if match is not None and match["index"] == "auto" else 0
    if not 1 <= count <= _MOST:
        return value
    index, source = _own_number(environment, host_name)
    if index >= count:
        raise WrongValueError(f"expected a number of shards greater than {index}, which {source} gives")
    return f"{index}/{count}"


def _own_number(environment: Mapping[str, str], host_name: str) -> tuple[int, str]:
    number = environment.get(_OF_A_JOB, "")
    if number:
        if not _NUMBER.fullmatch(number):
            raise WrongValueError(f"expected I/N, since {_OF_A_JOB} is no number")
        return int(number), _OF_A_JOB
    # With `setHostnameAsFQDN` the domain follows.
    name = (environment.get("HOSTNAME") or host_name).partition(".")[0]
    match = _ORDINAL.fullmatch(name)
    if match is None:
        raise WrongValueError(
            f"expected I/N, since {_OF_A_JOB} is not set and the host name {name!a} does not end in a number"
        )
    return int(match["ordinal"]), f"the host name {name!a}"


def _shard(value: object) -> Shard:
    if isinstance(value, Shard):
        return value
    match = _GRAMMAR.fullmatch(value) if isinstance(value, str) else None
    if match is None or match["index"] == "auto":
        raise WrongValueError(_EXPECTED)
    shard = Shard(int(match["index"]), int(match["count"]))
    if not 0 <= shard.index < shard.count <= _MOST:
        raise WrongValueError(_EXPECTED)
    return shard


ShardOf = Annotated[
    InstanceOf[Shard],
    BeforeValidator(_shard),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^(auto|[0-9]{1,6})/[0-9]{1,6}$"}),
]

"""JSON as Go's encoding/json reads it into a struct: what it lets pass and what it refuses."""

import json
from collections.abc import Mapping
from typing import Any

from tests.parts.distribution.errors import UnknownError

Shape = type | list[Any] | dict[str, Any]
"""`int`, `str`, a list of one shape, a struct (field to shape), or `{"*": shape}` for a map."""


def unmarshal(data: bytes, shape: dict[str, Any]) -> dict[str, Any]:
    """Read an object, keeping the fields of `shape`; a field that is absent or null is left out.

    Raises:
        UnknownError: it is no JSON, or a field has another type.

    """
    try:
        # Go puts U+FFFD for what is no UTF-8, and knows no NaN.
        value = json.loads(data.decode("utf-8", "replace"), parse_constant=_refuse)
    except ValueError as error:
        raise UnknownError({"Offset": len(data)}) from error
    read = _convert(value, shape)
    return {} if read is None else dict(read)


def _convert(value: Any, shape: Shape) -> Any:
    if value is None:
        return None
    if isinstance(shape, list) and isinstance(value, list):
        return [_convert(item, shape[0]) for item in value]
    if isinstance(shape, dict) and isinstance(value, dict):
        return _convert_object(value, shape)
    # In Go no boolean is a number, and no number with a fraction or exponent an integer.
    if isinstance(shape, type) and type(value) is shape and not _overflows(value):
        return value
    raise UnknownError({"Value": type(value).__name__, "Type": {}, "Offset": 0, "Struct": "", "Field": ""})


def _convert_object(value: Mapping[str, Any], shape: dict[str, Any]) -> dict[str, Any]:
    if "*" in shape:
        return {key: _convert(item, shape["*"]) for key, item in value.items()}
    fields = {name.lower(): name for name in shape}
    read = {}
    for key, item in value.items():
        name = key if key in shape else fields.get(key.lower())
        if name is not None and (converted := _convert(item, shape[name])) is not None:
            read[name] = converted
    return read


def _overflows(value: Any) -> bool:
    return isinstance(value, int) and not -(2**63) <= value < 2**63


def _refuse(constant: str) -> None:
    raise ValueError(constant)

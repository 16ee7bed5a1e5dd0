"""The structure of the Prometheus Operator's objects, as far as the chart writes them, and nothing else.

From the operator's API reference, monitoring.coreos.com/v1: names, types and what is required.
"""

from typing import Any, Final

import jsonschema

Json = dict[str, Any]

_TEXT: Final[Json] = {"type": "string", "minLength": 1}
_TEXTS: Final[Json] = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION: Final[Json] = {
    "type": "string",
    "pattern": "^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$",
    "minLength": 1,
}


def _object(required: tuple[str, ...], **properties: Json) -> Json:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


def _list(item: Json) -> Json:
    return {"type": "array", "items": item, "minItems": 1}


_RELABELING: Final = _object(
    (),
    sourceLabels=_list(_TEXT),
    separator={"type": "string"},
    targetLabel=_TEXT,
    regex=_TEXT,
    modulus={"type": "integer"},
    replacement={"type": "string"},
    action={
        "enum": [
            "replace",
            "keep",
            "drop",
            "hashmod",
            "labelmap",
            "labeldrop",
            "labelkeep",
            "lowercase",
            "uppercase",
            "keepequal",
            "dropequal",
        ]
    },
)
_METADATA: Final = _object(("name", "labels"), name=_TEXT, labels=_TEXTS, annotations=_TEXTS)
_SELECTOR: Final = _object(("matchLabels",), matchLabels=_TEXTS)
_ENDPOINT: Final = _object(
    ("port",),
    port=_TEXT,
    path={"type": "string", "pattern": "^/"},
    scheme={"enum": ["http", "https"]},
    interval=_DURATION,
    scrapeTimeout=_DURATION,
    relabelings=_list(_RELABELING),
    metricRelabelings=_list(_RELABELING),
)
_ALERT: Final = _object(
    ("alert", "expr", "labels", "annotations"),
    alert=_TEXT,
    expr=_TEXT,
    labels=_TEXTS,
    annotations=_TEXTS,
    keep_firing_for=_DURATION,
    **{"for": _DURATION},
)
_RECORD: Final = _object(("record", "expr"), record=_TEXT, expr=_TEXT, labels=_TEXTS)
_RULE: Final[Json] = {"if": {"required": ["record"]}, "then": _RECORD, "else": _ALERT}
_GROUP: Final = _object(("name", "rules"), name=_TEXT, interval=_DURATION, rules=_list(_RULE))


def _resource(kind: str, spec: Json) -> Json:
    return _object(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": "monitoring.coreos.com/v1"},
        kind={"const": kind},
        metadata=_METADATA,
        spec=spec,
    )


SCHEMAS: Final = {
    "ServiceMonitor": _resource(
        "ServiceMonitor", _object(("selector", "endpoints"), selector=_SELECTOR, endpoints=_list(_ENDPOINT))
    ),
    "PodMonitor": _resource(
        "PodMonitor",
        _object(
            ("selector", "podMetricsEndpoints"), selector=_SELECTOR, podMetricsEndpoints=_list(_ENDPOINT)
        ),
    ),
    "PrometheusRule": _resource("PrometheusRule", _object(("groups",), groups=_list(_GROUP))),
}


def problems(found: Json) -> list[str]:
    """Say what is wrong with an object of the Prometheus Operator."""
    validator = jsonschema.Draft202012Validator(SCHEMAS[found["kind"]])
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(found)]

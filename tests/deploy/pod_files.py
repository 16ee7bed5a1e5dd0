"""The files that a pod's container would see, laid out in a folder, for running the program on them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.deploy.rendering import Json
from tests.parts.certificates import Authority

PLACE = "/etc/registry-integrity-exporter"
CONTENTS = {"password": "correct-horse", "config.json": '{"auths": {}}'}


def lay_out(pod: Json, objects: list[Json], folder: Path, authority: Authority) -> list[str]:
    """Write the files below PLACE into a folder; return the program's arguments, which name them there.

    Secrets and ConfigMaps that the chart does not make are made up: each file as what its path says it is.
    """
    (container,) = pod["containers"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    contents = {**CONTENTS, **_certificates(authority)}
    for mount in container["volumeMounts"]:
        if not mount["mountPath"].startswith(PLACE):
            continue
        for path, text in _files(volumes[mount["name"]], objects, contents):
            place = folder / mount["mountPath"].removeprefix("/") / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text.replace(PLACE, f"{folder}{PLACE}"), "utf-8")
    return [argument.replace(PLACE, f"{folder}{PLACE}") for argument in container["args"]]


def _certificates(authority: Authority) -> dict[str, str]:
    pair = authority.issue("exporter")
    return {
        "ca.crt": authority.file.read_text(),
        "tls.crt": pair.certificate.read_text(),
        "tls.key": pair.key.read_text(),
    }


def _files(volume: Json, objects: list[Json], contents: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if "configMap" in volume:
        (data,) = (
            found["data"]
            for found in objects
            if (found["kind"], found["metadata"]["name"]) == ("ConfigMap", volume["configMap"]["name"])
        )
        for item in volume["configMap"]["items"]:
            yield item["path"], data[item["key"]]
        return
    for projected in volume["projected"]["sources"]:
        (reference,) = projected.values()
        for item in reference["items"]:
            yield item["path"], contents[Path(item["path"]).name]


def environment_of(pod: Json, kind: str) -> dict[str, Any]:
    """Give the variables that tell a pod its number, of the last pod that there is."""
    (container,) = pod["containers"]
    shards = [argument.partition("/")[2] for argument in container["args"] if argument.startswith("--shard=")]
    last = int(shards[0]) - 1 if shards else 0
    return {
        "CronJob": {"JOB_COMPLETION_INDEX": str(last)},
        "StatefulSet": {"HOSTNAME": f"exporter-{last}"},
    }.get(kind, {})

"""The check of the Pod Security profile "restricted" notices each rule that is broken."""

from typing import Any

import pytest

from tests.deploy.rendering import Json, pods, render, values_of
from tests.deploy.restricted import violations

CONTEXT = "containers[exporter].securityContext"
OF_THE_POD: list[tuple[Json, list[str]]] = [
    ({"hostNetwork": True}, ["hostNetwork"]),
    ({"hostPID": True}, ["hostPID"]),
    ({"hostIPC": True}, ["hostIPC"]),
    ({"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}, ["volumes[node].hostPath"]),
    ({"volumes": [{"name": "share", "nfs": {"server": "a", "path": "/"}}]}, ["volumes[share].nfs"]),
]
OF_ITS_CONTEXT: list[tuple[Json, list[str]]] = [
    ({"runAsUser": 0}, ["securityContext.runAsUser"]),
    ({"runAsNonRoot": False}, [f"{CONTEXT}.runAsNonRoot"]),
    ({"runAsNonRoot": None}, [f"{CONTEXT}.runAsNonRoot"]),
    ({"seccompProfile": {}}, [f"{CONTEXT}.seccompProfile"]),
    ({"seccompProfile": {"type": "Unconfined"}}, ["securityContext.seccompProfile.type"]),
    ({"appArmorProfile": {"type": "Unconfined"}}, ["securityContext.appArmorProfile.type"]),
    ({"seLinuxOptions": {"type": "spc_t"}}, ["securityContext.seLinuxOptions"]),
    ({"seLinuxOptions": {"user": "root"}}, ["securityContext.seLinuxOptions"]),
    ({"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}, ["securityContext.sysctls[kernel.msgmax]"]),
    ({"windowsOptions": {"hostProcess": True}}, ["securityContext.windowsOptions.hostProcess"]),
]
OF_THE_CONTAINER: list[tuple[Json, list[str]]] = [
    ({"ports": [{"containerPort": 1, "hostPort": 1}]}, ["containers[exporter].ports.hostPort"]),
    (
        {"livenessProbe": {"httpGet": {"host": "a", "port": 1}}},
        ["containers[exporter].livenessProbe.httpGet.host"],
    ),
    (
        {"lifecycle": {"preStop": {"tcpSocket": {"host": "a", "port": 1}}}},
        ["containers[exporter].lifecycle.preStop.tcpSocket.host"],
    ),
]
OF_THE_CONTAINER_S_CONTEXT: list[tuple[Json, list[str]]] = [
    ({"privileged": True}, [f"{CONTEXT}.privileged"]),
    ({"allowPrivilegeEscalation": True}, [f"{CONTEXT}.allowPrivilegeEscalation"]),
    ({"allowPrivilegeEscalation": None}, [f"{CONTEXT}.allowPrivilegeEscalation"]),
    ({"procMount": "Unmasked"}, [f"{CONTEXT}.procMount"]),
    ({"capabilities": {"drop": ["NET_RAW"]}}, [f"{CONTEXT}.capabilities.drop"]),
    ({"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}, [f"{CONTEXT}.capabilities.add"]),
    ({"runAsNonRoot": False}, [f"{CONTEXT}.runAsNonRoot"]),
    ({"runAsUser": 0}, [f"{CONTEXT}.runAsUser"]),
    ({"seccompProfile": {"type": "Unconfined"}}, [f"{CONTEXT}.seccompProfile.type"]),
]
CASES: list[tuple[str, Json, list[str]]] = [
    *(("", fields, broken) for fields, broken in OF_THE_POD),
    *(("context", fields, broken) for fields, broken in OF_ITS_CONTEXT),
    *(("container", fields, broken) for fields, broken in OF_THE_CONTAINER),
    *(("container's context", fields, broken) for fields, broken in OF_THE_CONTAINER_S_CONTEXT),
]


@pytest.fixture
def pod() -> Json:
    (found,) = pods(render(values_of("deployment")))
    return found


@pytest.mark.parametrize(("place", "fields", "broken"), CASES, ids=lambda value: str(value)[:60])
def test_each_rule(pod: Json, place: str, fields: Json, broken: list[str]):
    """A pod that breaks one rule is told so, with the field."""
    container: dict[str, Any] = pod["containers"][0]
    places = {
        "": pod,
        "context": pod["securityContext"],
        "container": container,
        "container's context": container["securityContext"],
    }
    places[place].update(fields)
    assert violations(pod) == broken


def test_init_containers(pod: Json):
    """Init containers are held to the same rules."""
    pod["initContainers"] = [{"name": "first", "image": "first:1"}]
    path = "initContainers[first].securityContext"
    assert violations(pod) == [f"{path}.allowPrivilegeEscalation", f"{path}.capabilities.drop"]


def test_what_is_allowed(pod: Json):
    """The profile's exceptions pass."""
    pod["securityContext"]["sysctls"] = [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]
    pod["containers"][0]["securityContext"]["capabilities"]["add"] = ["NET_BIND_SERVICE"]
    pod["volumes"] += [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "persistentVolumeClaim": {"claimName": "b"}},
    ]
    assert violations(pod) == []

"""The Pod Security profile "restricted", with what it takes from "baseline", rule by rule.

From the Kubernetes documentation, page "Pod Security Standards", for Linux pods, as of Kubernetes 1.37.
"""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}
SELINUX_TYPES = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
APPARMOR_TYPES = {None, "RuntimeDefault", "Localhost"}
SECCOMP_TYPES = {"RuntimeDefault", "Localhost"}
HANDLERS = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")


def violations(pod: Json) -> list[str]:
    """Say which rules a pod's spec breaks, with the field."""
    return [
        *_of_pod(pod),
        *(broken for path, one in _containers(pod) for broken in _of_container(path, one, pod)),
    ]


def _containers(pod: Json) -> Iterator[tuple[str, Json]]:
    for kind in CONTAINERS:
        for container in pod.get(kind, []):
            yield f"{kind}[{container['name']}]", container


def _of_pod(pod: Json) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield field
    context = pod.get("securityContext", {})
    yield from _of_either("securityContext", context)
    for sysctl in context.get("sysctls", []):
        if sysctl["name"] not in SYSCTLS:
            yield f"securityContext.sysctls[{sysctl['name']}]"
    for volume in pod.get("volumes", []):
        for source in volume.keys() - {"name"}:
            if source not in VOLUMES:
                yield f"volumes[{volume['name']}].{source}"


def _of_either(path: str, context: Json) -> Iterator[str]:
    """Rules on fields that a pod and a container have alike."""
    if context.get("runAsUser") == 0:
        yield f"{path}.runAsUser"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield f"{path}.windowsOptions.hostProcess"
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type") not in SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield f"{path}.seLinuxOptions"
    if context.get("appArmorProfile", {}).get("type") not in APPARMOR_TYPES:
        yield f"{path}.appArmorProfile.type"
    seccomp = context.get("seccompProfile", {}).get("type")
    if seccomp is not None and seccomp not in SECCOMP_TYPES:
        yield f"{path}.seccompProfile.type"


def _of_container(path: str, container: Json, pod: Json) -> Iterator[str]:
    context, of_pod = container.get("securityContext", {}), pod.get("securityContext", {})
    yield from _of_either(f"{path}.securityContext", context)
    if context.get("privileged"):
        yield f"{path}.securityContext.privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{path}.securityContext.allowPrivilegeEscalation"
    if context.get("procMount", "Default") != "Default":
        yield f"{path}.securityContext.procMount"
    capabilities = context.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []):
        yield f"{path}.securityContext.capabilities.drop"
    if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"{path}.securityContext.capabilities.add"
    if context.get("runAsNonRoot", of_pod.get("runAsNonRoot")) is not True:
        yield f"{path}.securityContext.runAsNonRoot"
    if not context.get("seccompProfile", of_pod.get("seccompProfile")):
        yield f"{path}.securityContext.seccompProfile"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield f"{path}.ports.hostPort"
    yield from _hosts(path, container)


def _hosts(path: str, container: Json) -> Iterator[str]:
    """Probes and hooks ask the pod itself, and no other host."""
    asked = {name: container[name] for name in HANDLERS if name in container}
    asked |= {
        f"lifecycle.{name}": one for name, one in container.get("lifecycle", {}).items() if name in HOOKS
    }
    for name, handler in asked.items():
        for action in ("httpGet", "tcpSocket"):
            if handler.get(action, {}).get("host"):
                yield f"{path}.{name}.{action}.host"

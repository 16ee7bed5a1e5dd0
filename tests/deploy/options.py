"""Every option of the chart that changes an object, with all that it changes."""

from dataclasses import dataclass, field
from typing import Any

from tests.deploy.rendering import ABSENT, FULL_NAME, REGISTRIES, Json

SELECTOR = {
    "app.kubernetes.io/name": "registry-integrity-exporter",
    "app.kubernetes.io/instance": "registry-integrity",
}
LABELS = {
    "helm.sh/chart": "registry-integrity-exporter-0.1.0",
    **SELECTOR,
    "app.kubernetes.io/version": "0.1.0",
    "app.kubernetes.io/managed-by": "Helm",
}
TEMPLATE = "Deployment.spec.template"
POD = f"{TEMPLATE}.spec"
CONTAINER = f"{POD}.containers[exporter]"
JOB = "CronJob.spec.jobTemplate.spec"
JOB_CONTAINER = f"{JOB}.template.spec.containers[exporter]"
SHARD = "StatefulSet.spec.template.spec"
CONFIG = "ConfigMap.data.config.yml"
SECRETS = "/etc/registry-integrity-exporter/secrets"
CONFIG_FILE = "--config=/etc/registry-integrity-exporter/config/config.yml"
MOUNT = {"name": "secrets", "mountPath": SECRETS, "readOnly": True}


def metadata(name: str = FULL_NAME, **more: str) -> Json:
    return {"name": name, "labels": {**LABELS, **more}}


def secret_volume(*sources: Json) -> Json:
    return {"name": "secrets", "projected": {"defaultMode": 0o440, "sources": list(sources)}}


def source(kind: str, name: str, **paths: str) -> Json:
    items = [{"key": key, "path": path} for key, path in paths.items()]
    return {kind: {"name": name, "items": items}}


@dataclass(frozen=True)
class Option:
    """Values beside those that the mode needs, and what they change in what it renders."""

    values: Json
    effect: dict[str, Any] = field(hash=False)
    mode: str = "deployment"


RESTRICTED_CONTEXT = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}
HELPER_ENV = [
    {
        "name": "PATH",
        "value": "/opt/credential-helpers:/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin",
    },
    {"name": "HOME", "value": "/tmp"},
]
HELPER_MOUNTS = {
    f"{CONTAINER}.volumeMounts[credential-helpers]": {
        "name": "credential-helpers",
        "mountPath": "/opt/credential-helpers",
        "readOnly": True,
    },
    f"{CONTAINER}.volumeMounts[tmp]": {"name": "tmp", "mountPath": "/tmp"},
    f"{CONTAINER}.env": HELPER_ENV,
    f"{POD}.volumes[tmp]": {"name": "tmp", "emptyDir": {}},
}
METRICS_PORT = {"port": "metrics", "path": "/metrics"}
WITH_A_USER = {"registries": [{**REGISTRIES[0], "username": "exporter"}]}
SPREAD = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
PEERS = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
NAMES = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}

IDENTITY: dict[str, Option] = {
    "replicas": Option({"replicas": 2}, {"Deployment.spec.replicas": 2}),
    "shards": Option(
        {"shards": 8},
        {
            "StatefulSet.spec.replicas": 8,
            f"{SHARD}.containers[exporter].args": [
                "serve",
                CONFIG_FILE,
                "--listen-address=:9949",
                "--shard=auto/8",
            ],
        },
        "statefulset",
    ),
    "image": Option(
        {
            "image": {"repository": "registry.example.com/exporter", "tag": "1.2", "pullPolicy": "Always"},
            "imagePullSecrets": [{"name": "pull"}],
        },
        {
            f"{CONTAINER}.image": "registry.example.com/exporter:1.2",
            f"{CONTAINER}.imagePullPolicy": "Always",
            f"{POD}.imagePullSecrets": [{"name": "pull"}],
        },
    ),
    "image by digest": Option(
        {"image": {"tag": "1.2", "digest": f"sha256:{'0' * 64}"}},
        {f"{CONTAINER}.image": f"registry-integrity-exporter@sha256:{'0' * 64}"},
    ),
    "full name": Option(
        {"fullnameOverride": "watch"},
        {
            "ConfigMap.metadata.name": "watch",
            "Deployment.metadata.name": "watch",
            "Service.metadata.name": "watch",
            "ServiceAccount.metadata.name": "watch",
            f"{POD}.serviceAccountName": "watch",
            f"{POD}.volumes[config].configMap.name": "watch",
        },
    ),
    "name": Option(
        {"nameOverride": "watch"},
        {
            f"{kind}.{path}": "watch" if path.endswith("/name") else "registry-integrity-watch"
            for kind, paths in {
                "ConfigMap": ("metadata.labels.app.kubernetes.io/name", "metadata.name"),
                "Deployment": (
                    "metadata.labels.app.kubernetes.io/name",
                    "metadata.name",
                    "spec.selector.matchLabels.app.kubernetes.io/name",
                    "spec.template.metadata.labels.app.kubernetes.io/name",
                    "spec.template.spec.serviceAccountName",
                    "spec.template.spec.volumes[config].configMap.name",
                ),
                "Service": (
                    "metadata.labels.app.kubernetes.io/name",
                    "metadata.name",
                    "spec.selector.app.kubernetes.io/name",
                ),
                "ServiceAccount": ("metadata.labels.app.kubernetes.io/name", "metadata.name"),
            }.items()
            for path in paths
        },
    ),
    "labels and annotations": Option(
        {
            "commonLabels": {"team": "platform"},
            "podLabels": {"tier": "watch"},
            "podAnnotations": {"note": "x"},
        },
        {
            "ConfigMap.metadata.labels.team": "platform",
            "Deployment.metadata.labels.team": "platform",
            "Service.metadata.labels.team": "platform",
            "ServiceAccount.metadata.labels.team": "platform",
            f"{TEMPLATE}.metadata.labels.team": "platform",
            f"{TEMPLATE}.metadata.labels.tier": "watch",
            f"{TEMPLATE}.metadata.annotations": {"note": "x"},
        },
    ),
    "service account": Option(
        {"serviceAccount": {"name": "watch", "annotations": {"role": "reader"}}},
        {
            "ServiceAccount.metadata.name": "watch",
            "ServiceAccount.metadata.annotations": {"role": "reader"},
            f"{POD}.serviceAccountName": "watch",
        },
    ),
    "no service account": Option(
        {"serviceAccount": {"create": False}},
        {"ServiceAccount": ABSENT, f"{POD}.serviceAccountName": "default"},
    ),
    "a service account that is there": Option(
        {"serviceAccount": {"create": False, "name": "watch"}},
        {"ServiceAccount": ABSENT, f"{POD}.serviceAccountName": "watch"},
    ),
}
CONFIGURATION: dict[str, Option] = {
    "configuration": Option(
        {
            "config": {
                "interval": "5m",
                "concurrency": 4,
                "web": {"enable_lifecycle": True},
                "log_format": "console",
            }
        },
        {
            f"{CONFIG}.interval": "5m",
            f"{CONFIG}.concurrency": 4,
            f"{CONFIG}.web": {"enable_lifecycle": True},
            f"{CONFIG}.log_format": "console",
        },
    ),
    "a ConfigMap and a secret that are there": Option(
        {
            "existingConfigMap": {"name": "mine", "key": "file"},
            "secrets": {"registries": {"private": {"password": {"secret": "login"}}}},
        },
        {
            f"{CONTAINER}.volumeMounts[secrets]": MOUNT,
            f"{POD}.volumes[secrets]": secret_volume(
                source("secret", "login", password="registries/private/password")
            ),
            "ConfigMap": ABSENT,
            f"{POD}.volumes[config].configMap.name": "mine",
            f"{POD}.volumes[config].configMap.items": [{"key": "file", "path": "config.yml"}],
        },
    ),
    "secrets of one registry": Option(
        {
            "config": WITH_A_USER,
            "secrets": {
                "registries": {
                    "private": {
                        "password": {"secret": "login"},
                        "ca": {"configMap": "authorities"},
                        "clientCertificate": {"secret": "client"},
                    }
                }
            },
        },
        {
            f"{CONFIG}.registries[private].username": "exporter",
            f"{CONFIG}.registries[private].password_file": f"{SECRETS}/registries/private/password",
            f"{CONFIG}.registries[private].ca_file": f"{SECRETS}/registries/private/ca.crt",
            f"{CONFIG}.registries[private].client_certificate_file": f"{SECRETS}/registries/private/tls.crt",
            f"{CONFIG}.registries[private].client_key_file": f"{SECRETS}/registries/private/tls.key",
            f"{CONTAINER}.volumeMounts[secrets]": MOUNT,
            f"{POD}.volumes[secrets]": secret_volume(
                source("secret", "login", password="registries/private/password"),
                source("configMap", "authorities", **{"ca.crt": "registries/private/ca.crt"}),
                source(
                    "secret",
                    "client",
                    **{"tls.crt": "registries/private/tls.crt", "tls.key": "registries/private/tls.key"},
                ),
            ),
        },
    ),
    "keys of secrets": Option(
        {
            "config": WITH_A_USER,
            "secrets": {
                "registries": {
                    "private": {
                        "password": {"secret": "login", "key": "pw"},
                        "ca": {"secret": "authorities", "key": "pem"},
                        "clientCertificate": {
                            "secret": "client",
                            "certificateKey": "cert",
                            "privateKey": "key",
                        },
                    }
                }
            },
        },
        {
            f"{CONFIG}.registries[private].username": "exporter",
            f"{CONFIG}.registries[private].password_file": f"{SECRETS}/registries/private/password",
            f"{CONFIG}.registries[private].ca_file": f"{SECRETS}/registries/private/ca.crt",
            f"{CONFIG}.registries[private].client_certificate_file": f"{SECRETS}/registries/private/tls.crt",
            f"{CONFIG}.registries[private].client_key_file": f"{SECRETS}/registries/private/tls.key",
            f"{CONTAINER}.volumeMounts[secrets]": MOUNT,
            f"{POD}.volumes[secrets]": secret_volume(
                source("secret", "login", pw="registries/private/password"),
                source("secret", "authorities", pem="registries/private/ca.crt"),
                source(
                    "secret",
                    "client",
                    cert="registries/private/tls.crt",
                    key="registries/private/tls.key",
                ),
            ),
        },
    ),
    "a Docker config for all, in a sharded CronJob": Option(
        {
            "shards": 4,
            "config": {"registries": [{"url": "https://registry.example.com:5000"}]},
            "secrets": {"all": {"dockerConfig": {"secret": "pull"}, "ca": {"secret": "authorities"}}},
        },
        {
            f"{CONFIG}.docker_config": f"{SECRETS}/all/config.json",
            f"{CONFIG}.ca_file": f"{SECRETS}/all/ca.crt",
            f"{CONFIG}.registries": [{"url": "https://registry.example.com:5000"}],
            f"{JOB}.completionMode": "Indexed",
            f"{JOB}.completions": 4,
            f"{JOB}.parallelism": 4,
            f"{JOB}.backoffLimit": ABSENT,
            f"{JOB}.backoffLimitPerIndex": 0,
            f"{JOB_CONTAINER}.args": [
                "probe",
                CONFIG_FILE,
                "--interval=1h",
                "--deadline=3000s",
                "--shard=auto/4",
            ],
            f"{JOB_CONTAINER}.volumeMounts[secrets]": MOUNT,
            f"{JOB}.template.spec.volumes[secrets]": secret_volume(
                source("secret", "pull", **{".dockerconfigjson": "all/config.json"}),
                source("secret", "authorities", **{"ca.crt": "all/ca.crt"}),
            ),
        },
        "cronjob",
    ),
    "a registry with the name of its address": Option(
        {
            "config": {"registries": [{"url": "https://Registry.example.com:5000", "username": "exporter"}]},
            "secrets": {"registries": {"registry.example.com:5000": {"password": {"secret": "login"}}}},
        },
        {
            f"{CONFIG}.registries": [
                {
                    "url": "https://Registry.example.com:5000",
                    "username": "exporter",
                    "password_file": f"{SECRETS}/registries/registry.example.com:5000/password",
                }
            ],
            f"{CONTAINER}.volumeMounts[secrets]": MOUNT,
            f"{POD}.volumes[secrets]": secret_volume(
                source("secret", "login", password="registries/registry.example.com:5000/password")
            ),
        },
    ),
    "registries by name": Option(
        {
            "config": {
                "registries": {"a": {"url": "https://a.example.com"}, "b": {"url": "http://b.example.com"}}
            },
            "secrets": {
                "registries": {"b": {"dockerConfig": {"configMap": "helpers", "key": "config.json"}}}
            },
        },
        {
            f"{CONFIG}.registries[private]": ABSENT,
            f"{CONFIG}.registries.a": {"url": "https://a.example.com"},
            f"{CONFIG}.registries.b": {
                "url": "http://b.example.com",
                "docker_config": f"{SECRETS}/registries/b/config.json",
            },
            f"{CONTAINER}.volumeMounts[secrets]": MOUNT,
            f"{POD}.volumes[secrets]": secret_volume(
                source("configMap", "helpers", **{"config.json": "registries/b/config.json"})
            ),
        },
    ),
    "a Pushgateway": Option(
        {
            "config": {"pushgateway": {"url": "https://push.example.com", "username": "exporter"}},
            "secrets": {
                "pushgateway": {
                    "password": {"secret": "push"},
                    "ca": {"configMap": "authorities"},
                    "clientCertificate": {"secret": "client"},
                }
            },
        },
        {
            f"{CONFIG}.pushgateway": {
                "url": "https://push.example.com",
                "username": "exporter",
                "password_file": f"{SECRETS}/pushgateway/password",
                "ca_file": f"{SECRETS}/pushgateway/ca.crt",
                "client_certificate_file": f"{SECRETS}/pushgateway/tls.crt",
                "client_key_file": f"{SECRETS}/pushgateway/tls.key",
            },
            f"{JOB_CONTAINER}.volumeMounts[secrets]": MOUNT,
            f"{JOB}.template.spec.volumes[secrets]": secret_volume(
                source("secret", "push", password="pushgateway/password"),
                source("configMap", "authorities", **{"ca.crt": "pushgateway/ca.crt"}),
                source(
                    "secret", "client", **{"tls.crt": "pushgateway/tls.crt", "tls.key": "pushgateway/tls.key"}
                ),
            ),
        },
        "cronjob",
    ),
    "credential helpers by an init container": Option(
        {
            "credentialHelpers": {
                "image": "helpers:1",
                "command": ["cp", "/helper", "/opt/credential-helpers/"],
            }
        },
        {
            **HELPER_MOUNTS,
            f"{POD}.initContainers": [
                {
                    "name": "credential-helpers",
                    "image": "helpers:1",
                    "command": ["cp", "/helper", "/opt/credential-helpers/"],
                    "resources": RESOURCES,
                    "securityContext": RESTRICTED_CONTEXT,
                    "volumeMounts": [{"name": "credential-helpers", "mountPath": "/opt/credential-helpers"}],
                }
            ],
            f"{POD}.volumes[credential-helpers]": {"name": "credential-helpers", "emptyDir": {}},
        },
    ),
    "credential helpers by a volume": Option(
        {"credentialHelpers": {"volume": {"persistentVolumeClaim": {"claimName": "helpers"}}}},
        {
            **HELPER_MOUNTS,
            f"{POD}.volumes[credential-helpers]": {
                "name": "credential-helpers",
                "persistentVolumeClaim": {"claimName": "helpers"},
            },
        },
    ),
}
POD_OPTIONS: dict[str, Option] = {
    "port": Option(
        {"port": 8080},
        {
            f"{CONTAINER}.args": ["serve", CONFIG_FILE, "--listen-address=:8080"],
            f"{CONTAINER}.ports[metrics].containerPort": 8080,
        },
    ),
    "arguments": Option(
        {"extraArgs": ["--concurrency=4", "--log-level=debug"]},
        {
            f"{CONTAINER}.args": [
                "serve",
                CONFIG_FILE,
                "--listen-address=:9949",
                "--concurrency=4",
                "--log-level=debug",
            ]
        },
    ),
    "environment and volumes": Option(
        {
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}],
            "extraEnvFrom": [{"secretRef": {"name": "environment"}}],
            "extraVolumes": [{"name": "more", "emptyDir": {}}],
            "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
            "extraInitContainers": [
                {"name": "first", "image": "first:1", "securityContext": RESTRICTED_CONTEXT}
            ],
        },
        {
            f"{CONTAINER}.env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com:3128"}],
            f"{CONTAINER}.envFrom": [{"secretRef": {"name": "environment"}}],
            f"{POD}.volumes[more]": {"name": "more", "emptyDir": {}},
            f"{CONTAINER}.volumeMounts[more]": {"name": "more", "mountPath": "/more"},
            f"{POD}.initContainers": [
                {"name": "first", "image": "first:1", "securityContext": RESTRICTED_CONTEXT}
            ],
        },
    ),
    "probes": Option(
        {
            "livenessProbe": {"periodSeconds": 60, "initialDelaySeconds": 5},
            "readinessProbe": {"timeoutSeconds": 9},
        },
        {
            f"{CONTAINER}.livenessProbe.periodSeconds": 60,
            f"{CONTAINER}.livenessProbe.initialDelaySeconds": 5,
            f"{CONTAINER}.readinessProbe.timeoutSeconds": 9,
        },
    ),
    "no probes": Option(
        {"livenessProbe": None, "readinessProbe": None},
        {f"{CONTAINER}.livenessProbe": ABSENT, f"{CONTAINER}.readinessProbe": ABSENT},
    ),
    "resources": Option(
        {"resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}},
        {f"{CONTAINER}.resources.requests.cpu": "1", f"{CONTAINER}.resources.limits.memory": "1Gi"},
    ),
    "security contexts": Option(
        {"podSecurityContext": {"runAsUser": None, "fsGroup": 7}, "securityContext": {"runAsUser": 7}},
        {
            f"{POD}.securityContext.runAsUser": ABSENT,
            f"{POD}.securityContext.fsGroup": 7,
            f"{CONTAINER}.securityContext.runAsUser": 7,
        },
    ),
    "scheduling": Option(
        {
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"key": "dedicated", "operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "topologySpreadConstraints": [SPREAD, {**SPREAD, "labelSelector": {"matchLabels": {"a": "b"}}}],
            "priorityClassName": "high",
            "terminationGracePeriodSeconds": 5,
        },
        {
            f"{POD}.nodeSelector": {"disk": "ssd"},
            f"{POD}.tolerations": [{"key": "dedicated", "operator": "Exists"}],
            f"{POD}.affinity": {"nodeAffinity": {}},
            f"{POD}.topologySpreadConstraints": [
                {**SPREAD, "labelSelector": {"matchLabels": SELECTOR}},
                {**SPREAD, "labelSelector": {"matchLabels": {**SELECTOR, "a": "b"}}},
            ],
            f"{POD}.priorityClassName": "high",
            f"{POD}.terminationGracePeriodSeconds": 5,
        },
    ),
    "strategy of a Deployment": Option(
        {"updateStrategy": {"type": "Recreate"}}, {"Deployment.spec.strategy.type": "Recreate"}
    ),
    "strategy of a StatefulSet": Option(
        {"updateStrategy": {"rollingUpdate": {"partition": 1}}},
        {"StatefulSet.spec.updateStrategy.rollingUpdate": {"partition": 1}},
        "statefulset",
    ),
    "schedule": Option(
        {
            "cronJob": {
                "schedule": "*/30 * * * *",
                "timeZone": "Europe/Berlin",
                "interval": "30m",
                "deadlineSeconds": 1500,
                "marginSeconds": 200,
                "startingDeadlineSeconds": 60,
                "suspend": True,
                "successfulJobsHistoryLimit": 2,
                "failedJobsHistoryLimit": 5,
                "ttlSecondsAfterFinished": 86400,
            }
        },
        {
            "CronJob.spec.schedule": "*/30 * * * *",
            "CronJob.spec.timeZone": "Europe/Berlin",
            "CronJob.spec.startingDeadlineSeconds": 60,
            "CronJob.spec.suspend": True,
            "CronJob.spec.successfulJobsHistoryLimit": 2,
            "CronJob.spec.failedJobsHistoryLimit": 5,
            f"{JOB}.ttlSecondsAfterFinished": 86400,
            f"{JOB}.activeDeadlineSeconds": 1700,
            f"{JOB_CONTAINER}.args": ["probe", CONFIG_FILE, "--interval=30m", "--deadline=1500s"],
        },
        "cronjob",
    ),
}
AROUND: dict[str, Option] = {
    "service": Option(
        {"service": {"type": "LoadBalancer", "port": 80, "annotations": {"a": "b"}}},
        {
            "Service.spec.type": "LoadBalancer",
            "Service.spec.ports[metrics].port": 80,
            "Service.metadata.annotations": {"a": "b"},
        },
    ),
    "no service": Option({"service": {"enabled": False}}, {"Service": ABSENT}),
    "a StatefulSet keeps its service": Option({"service": {"enabled": False}}, {}, "statefulset"),
    "ServiceMonitor": Option(
        {
            "monitor": {
                "enabled": True,
                "labels": {"release": "prometheus"},
                "interval": "30s",
                "scrapeTimeout": "10s",
                "relabelings": [{"targetLabel": "cluster", "replacement": "one"}],
                "metricRelabelings": [{"action": "labeldrop", "regex": "pod"}],
            }
        },
        {
            "ServiceMonitor": {
                "apiVersion": "monitoring.coreos.com/v1",
                "kind": "ServiceMonitor",
                "metadata": metadata(release="prometheus"),
                "spec": {
                    "selector": {"matchLabels": SELECTOR},
                    "endpoints": [
                        {
                            **METRICS_PORT,
                            "interval": "30s",
                            "scrapeTimeout": "10s",
                            "relabelings": [{"targetLabel": "cluster", "replacement": "one"}],
                            "metricRelabelings": [{"action": "labeldrop", "regex": "pod"}],
                        }
                    ],
                },
            }
        },
    ),
    "PodMonitor": Option(
        {"monitor": {"enabled": True, "kind": "PodMonitor"}},
        {
            "PodMonitor": {
                "apiVersion": "monitoring.coreos.com/v1",
                "kind": "PodMonitor",
                "metadata": metadata(),
                "spec": {"selector": {"matchLabels": SELECTOR}, "podMetricsEndpoints": [METRICS_PORT]},
            }
        },
        "statefulset",
    ),
    "network policy": Option(
        {"networkPolicy": {"enabled": True}},
        {
            "NetworkPolicy": {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": metadata(),
                "spec": {
                    "podSelector": {"matchLabels": SELECTOR},
                    "policyTypes": ["Ingress", "Egress"],
                    "ingress": [{"ports": [{"port": "metrics", "protocol": "TCP"}]}],
                    "egress": [NAMES, {"ports": [{"port": 443, "protocol": "TCP"}]}],
                },
            }
        },
    ),
    "network policy with peers": Option(
        {
            "networkPolicy": {
                "enabled": True,
                "from": PEERS,
                "egressPorts": [5000, 9091],
                "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
                "extraEgress": [{"to": PEERS}],
            }
        },
        {
            "NetworkPolicy": {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": metadata(),
                "spec": {
                    "podSelector": {"matchLabels": SELECTOR},
                    "policyTypes": ["Ingress", "Egress"],
                    "ingress": [{"ports": [{"port": "metrics", "protocol": "TCP"}], "from": PEERS}],
                    "egress": [
                        NAMES,
                        {
                            "ports": [{"port": 5000, "protocol": "TCP"}, {"port": 9091, "protocol": "TCP"}],
                            "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
                        },
                        {"to": PEERS},
                    ],
                },
            }
        },
    ),
    "nobody scrapes a CronJob": Option(
        {"networkPolicy": {"enabled": True, "egressPorts": []}},
        {
            "NetworkPolicy": {
                "apiVersion": "networking.k8s.io/v1",
                "kind": "NetworkPolicy",
                "metadata": metadata(),
                "spec": {
                    "podSelector": {"matchLabels": SELECTOR},
                    "policyTypes": ["Ingress", "Egress"],
                    "egress": [NAMES],
                },
            }
        },
        "cronjob",
    ),
    "disruption budget": Option(
        {"podDisruptionBudget": {"enabled": True, "maxUnavailable": "50%"}},
        {
            "PodDisruptionBudget": {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": metadata(),
                "spec": {"maxUnavailable": "50%", "selector": {"matchLabels": SELECTOR}},
            }
        },
        "statefulset",
    ),
}
OPTIONS = {**IDENTITY, **CONFIGURATION, **POD_OPTIONS, **AROUND}

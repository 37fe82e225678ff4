"""The Helm chart: rendered by Helm's own library, held against the schemas of Kubernetes; never installed."""

from typing import Any

import kubernetes_validate
import pytest

from tests.deploy.chart import ChartError, render
from tests.deploy.files import read, read_yaml
from tests.deploy.settings import accept
from tests.deploy.test_container import image_environment
from tests.protocol.real import Certificate

URLS = {"store": "postgresql://rockdove:secret@pg1,pg2/rockdove", "bus": "nats://rockdove:secret@nats:4222"}
EVERYTHING: dict[str, Any] = URLS | {
    "tls": {"secretName": "certificate"},
    "image": {"repository": "registry.example/rockdove", "digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "settings": {"heartbeat_seconds": 60, "log_level": "debug"},
    "service": {"annotations": {"example/balancer": "tcp"}, "plain": True},
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "podAnnotations": {"example/note": "a"},
    "nodeSelector": {"disk": "none"},
    "tolerations": [{"key": "chat", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
}
VARIANTS: list[Any] = [
    pytest.param(URLS, id="defaults"),
    pytest.param({"existingSecret": "urls"}, id="secret"),
    pytest.param(EVERYTHING, id="everything"),
    pytest.param(URLS | {"service": {"type": "ClusterIP"}}, id="within"),
]


@pytest.mark.parametrize("values", VARIANTS)
def test_kubernetes_knows_every_field(values: dict[str, Any]) -> None:
    for (kind, _), manifest in render(values).items():
        if kind == "ServiceMonitor":
            continue  # not of Kubernetes itself
        for version in ("1.27", "1.37"):
            kubernetes_validate.validate(manifest, version, strict=True)


def container(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod, and the container in it."""
    (pod,) = (each["spec"]["template"]["spec"] for (kind, _), each in render(values).items() if kind == "Deployment")
    return pod, pod["containers"][0]


@pytest.mark.parametrize("values", VARIANTS)
def test_nodes_start(values: dict[str, Any], certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> None:
    _, node = container(values)
    environment = {
        each["name"]: each.get("value") or URLS.get(each["name"].removeprefix("ROCKDOVE_").lower(), "node")
        for each in node["env"]
    }
    config = accept(node["args"], image_environment() | environment, certificate, monkeypatch)
    listens = {address.port for address in (config.tcp, config.tls, config.http) if address}
    assert {port["containerPort"] for port in node["ports"]} == listens
    for setting, value in values.get("settings", {}).items():
        assert getattr(config, setting) == value


@pytest.mark.parametrize("values", VARIANTS)
def test_secrets_and_ports_that_are_named_are_there(values: dict[str, Any]) -> None:
    manifests = render(values)
    _, node = container(values)
    references = [each["valueFrom"]["secretKeyRef"] for each in node["env"] if "secretKeyRef" in each.get("valueFrom", {})]
    assert {each["key"] for each in references} == {"store", "bus"}
    for each in references:
        if not values.get("existingSecret"):
            assert each["key"] in manifests["Secret", each["name"]]["stringData"]
    known = {port["name"] for port in node["ports"]}
    labels = manifests["Deployment", "im-rockdove"]["spec"]["template"]["metadata"]["labels"]
    for (kind, _), manifest in manifests.items():
        if kind == "Service":
            assert {port["targetPort"] for port in manifest["spec"]["ports"]} <= known
            assert manifest["spec"]["selector"].items() <= labels.items()


def test_a_node_is_killed_only_after_its_drain() -> None:
    pod, node = container(URLS | {"drainSeconds": 300, "endpointSeconds": 20})
    assert pod["terminationGracePeriodSeconds"] == 335
    assert node["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "20"]
    assert {"name": "ROCKDOVE_DRAIN_SECONDS", "value": "300"} in node["env"]


def test_without_tls_the_plain_port_is_the_only_one_and_with_it_the_other() -> None:
    def offered(values: dict[str, Any]) -> list[int]:
        return [port["port"] for port in render(URLS | values)["Service", "im-rockdove"]["spec"]["ports"]]

    assert offered({}) == [5181]
    assert offered({"tls": {"secretName": "certificate"}}) == [5182]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, "set store"),
        ({"store": URLS["store"]}, "set bus"),
        (URLS | {"replicas": "3"}, "replicas"),
        (URLS | {"replica": 3}, "replica"),
        (URLS | {"store": "mysql://a"}, "store"),
        (URLS | {"service": {"type": "Cluster"}}, "type"),
    ],
)
def test_wrong_values_are_refused_with_their_name(values: dict[str, Any], reason: str) -> None:
    with pytest.raises(ChartError, match=reason):
        render(values)


def test_values_and_schema_name_the_same() -> None:
    values, schema = read_yaml("helm/rockdove/values.yaml"), read_yaml("helm/rockdove/values.schema.json")
    assert {*values, "global"} == set(schema["properties"])
    for name, value in values.items():
        inner = schema["properties"][name].get("properties")
        if inner:
            assert set(value) == set(inner), name


def test_chart_and_package_have_one_version() -> None:
    chart = read_yaml("helm/rockdove/Chart.yaml")
    assert f'\nversion = "{chart["appVersion"]}"\n' in (read("../pyproject.toml"))

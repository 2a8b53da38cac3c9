"""The manifests of Deploy/kubernetes: valid by Kubernetes' own schemas, and right about the server."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from apus_e2e import Server, apus

FOLDER = Path(__file__).parents[2] / "Deploy/kubernetes"
# The oldest that knows `preStop.sleep` without a feature gate, and the newest that the schemas are there for.
VERSIONS = ["1.30", "1.37"]
MANIFESTS = {file.stem: yaml.safe_load(file.read_text()) for file in FOLDER.glob("*.yaml")}

pytestmark = [pytest.mark.plain("it is about files"),
              pytest.mark.one_server("it is about how a server starts, listens and ends")]


def pod():
    return MANIFESTS["statefulset"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", sorted(MANIFESTS.keys() - {"kustomization"}))
def test_a_manifest_is_valid_and_has_no_unknown_field(name, version):
    kubernetes_validate.validate(MANIFESTS[name], version, strict=True)


def test_the_kustomization_names_all_manifests_but_the_example_of_an_ingress():
    named = {name.removesuffix(".yaml") for name in MANIFESTS["kustomization"]["resources"]}
    assert named == MANIFESTS.keys() - {"kustomization", "ingress"}


def test_the_server_takes_the_settings_and_the_secret(tmp_path):
    (tmp_path / "apus.yaml").write_text(MANIFESTS["config"]["data"]["apus.yaml"])
    (tmp_path / "keys").write_text("0123456789abcdef")
    places = {"/etc/apus": tmp_path, "/run/secrets/apus": tmp_path, "/var/lib/apus": tmp_path / "data"}
    [container] = pod()["containers"]
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounts == places.keys()
    environment = {}
    for variable in container["env"]:
        value = variable["value"]
        for path, place in places.items():
            value = value.replace(path, str(place))
        environment[variable["name"]] = value
    checked = apus("config", "check", env=environment)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_probes_ask_what_the_server_answers_without_a_key():
    [container] = pod()["containers"]
    paths = {container[probe]["httpGet"]["path"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
    assert paths == {"/livez", "/readyz"}
    with Server("--api-key", "0123456789abcdef") as server:
        for path in paths:
            assert server.rest("GET", path).status == 200


def test_the_pod_has_time_for_the_drain():
    settings = yaml.safe_load(MANIFESTS["config"]["data"]["apus.yaml"])
    [container] = pod()["containers"]
    drain = int(re.fullmatch(r"(\d+)s", settings["drain_timeout"])[1])
    assert pod()["terminationGracePeriodSeconds"] > container["lifecycle"]["preStop"]["sleep"]["seconds"] + drain


def test_the_pod_is_nobody_special_and_of_the_user_of_the_images():
    [container] = pod()["containers"]
    dockerfile = (FOLDER / "../../Dockerfile").read_text()
    user = int(re.search(r"^USER (\d+):", dockerfile, re.M)[1])
    security, own = pod()["securityContext"], container["securityContext"]
    assert security["runAsNonRoot"] and security["runAsUser"] == security["fsGroup"] == user
    assert own["readOnlyRootFilesystem"] and own["capabilities"] == {"drop": ["ALL"]}
    assert f"USER = {user}\n" in (FOLDER / "../package/image.py").read_text()

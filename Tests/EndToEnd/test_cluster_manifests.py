"""Deploy/cluster: manifests and a compose file for three NATS servers and three nodes, right about both programs."""

import json
import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from apus_e2e import TIMEOUT, apus
from test_kubernetes import VERSIONS

FOLDER = Path(__file__).parents[2] / "Deploy/cluster"
KUBERNETES = FOLDER / "kubernetes"
FILES = sorted(KUBERNETES.glob("*.yaml"))
MANIFESTS = [(file.stem, manifest) for file in FILES if file.stem not in ("kustomization", "apus")
             for manifest in yaml.safe_load_all(file.read_text())]
SETTINGS = yaml.safe_load((KUBERNETES / "apus.yaml").read_text())
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
NATS = Path(sys.executable).parent / "nats-server"

pytestmark = pytest.mark.plain("it is about files")


def named(kind, name):
    return next(each for _, each in MANIFESTS if each["kind"] == kind and each["metadata"]["name"] == name)


def pod(name):
    return named("StatefulSet", name)["spec"]["template"]["spec"]


def environment(name):
    """A container's variables, with what Kubernetes puts in for others; names and secrets are made up."""
    found = {}
    for variable in pod(name)["containers"][0]["env"]:
        value = variable.get("value", f"a{len(found)}")
        found[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda match: found[match[1]], value)
    return found


def seconds(text):
    return int(re.fullmatch(r"(\d+)s", text)[1])


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", [each for _, each in MANIFESTS],
                         ids=[f"{stem}-{each['metadata']['name']}" for stem, each in MANIFESTS])
def test_a_manifest_is_valid_and_has_no_unknown_field(manifest, version):
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_kustomization_names_all_files():
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    generated = [file for each in kustomization["configMapGenerator"] for file in each["files"]]
    files = {file.name for file in KUBERNETES.iterdir()} - {"kustomization.yaml"}
    assert {*kustomization["resources"], *generated} == files


@pytest.mark.parametrize("name", ["apus", "nats"])
def test_one_pod_at_a_time_goes_and_no_two_are_on_one_machine(name):
    stateful, budget = named("StatefulSet", name)["spec"], named("PodDisruptionBudget", name)["spec"]
    assert stateful["replicas"] == 3 and stateful["minReadySeconds"] > 0 and budget["maxUnavailable"] == 1
    labels = stateful["template"]["metadata"]["labels"]
    [rule] = pod(name)["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    for selector in (stateful["selector"], budget["selector"], rule["labelSelector"]):
        assert selector["matchLabels"].items() <= labels.items()
    assert rule["topologyKey"] == "kubernetes.io/hostname"
    assert named("Service", stateful["serviceName"])["spec"]["clusterIP"] == "None"


def test_a_pod_has_time_for_the_drain():
    [apus_container], [nats] = pod("apus")["containers"], pod("nats")["containers"]
    needed = apus_container["lifecycle"]["preStop"]["sleep"]["seconds"] + seconds(SETTINGS["drain_timeout"])
    assert pod("apus")["terminationGracePeriodSeconds"] > needed
    configuration = (KUBERNETES / "nats.conf").read_text()
    duration = seconds(re.search(r"^lame_duck_duration: (\S+)$", configuration, re.M)[1])
    assert pod("nats")["terminationGracePeriodSeconds"] > duration
    assert nats["lifecycle"]["preStop"]["exec"]["command"][2].startswith("ldm=")


def test_the_node_takes_the_settings(tmp_path):
    (tmp_path / "keys").write_text("0123456789abcdef")
    (tmp_path / "apus.yaml").write_text((KUBERNETES / "apus.yaml").read_text())
    places = {"/etc/apus": tmp_path, "/run/secrets/apus": tmp_path}
    variables = environment("apus")
    for path, place in places.items():
        variables = {name: value.replace(path, str(place)) for name, value in variables.items()}
    checked = apus("config", "check", env=variables)
    assert (checked.returncode, checked.stderr) == (0, "")
    urls = variables["APUS_NATS"].split(",")
    assert [re.search(r"@(.*):4222$", url)[1] for url in urls] == [f"nats-{index}.nats" for index in range(3)]


def compose_environment(service):
    password = {"NATS_PASSWORD": "a1", "APUS_API_KEYS": "0123456789abcdef"}
    return {name: re.sub(r"\$\{(\w+):?[^}]*\}", lambda match: password[match[1]], value)
            for name, value in COMPOSE["services"][service]["environment"].items()}


@pytest.mark.parametrize("service", ["apus-0", "apus-1", "apus-2"])
def test_a_node_of_the_compose_file_takes_the_settings(service):
    checked = apus("config", "check", env=compose_environment(service))
    assert (checked.returncode, checked.stderr) == (0, "")


def test_servers_of_both_have_names_and_routes_and_write_before_they_acknowledge():
    configuration = (KUBERNETES / "nats.conf").read_text()
    assert re.search(r"^    sync_interval: always$", configuration, re.M) and SETTINGS["nats_sync_always"] is True
    routes = json.loads(environment("nats")["NATS_ROUTES"])
    assert [re.search(r"@(.*):6222$", route)[1] for route in routes] == [f"nats-{index}.nats" for index in range(3)]
    for index in range(3):
        own = compose_environment(f"nats-{index}")
        assert own["NATS_NAME"] == f"nats-{index}" and len(json.loads(own["NATS_ROUTES"])) == 3


@pytest.mark.skipif(not NATS.exists(), reason="there is no nats-server in this environment")
@pytest.mark.parametrize("variables", [environment("nats"), compose_environment("nats-0")],
                         ids=["kubernetes", "compose"])
def test_nats_takes_its_configuration(variables):
    done = subprocess.run([NATS, "-t", "-c", KUBERNETES / "nats.conf"], env=variables, capture_output=True, text=True,
                          timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr


def test_the_nodes_run_as_the_user_of_the_image():
    user = int(re.search(r"^USER (\d+):", (FOLDER / "../../Dockerfile").read_text(), re.M)[1])
    assert pod("apus")["securityContext"]["runAsUser"] == user
    for name in ("apus", "nats"):
        [container] = pod(name)["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] and pod(name)["securityContext"]["runAsNonRoot"]

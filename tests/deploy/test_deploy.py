"""What ``deploy/`` holds, as the programs that it is for read it; each where that program is to be had.

``make test-deploy`` installs Prometheus with promtool, and kubernetes-validate.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = ROOT / ".venv" / "deploy" / "usr" / "bin"


def tool(name: str) -> str:
    found = shutil.which(name, path=str(TOOLS)) or shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here; make test-deploy installs it")
    return found


def done(*command: str | Path) -> str:
    ended = subprocess.run([str(x) for x in command], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_the_alert_rules_are_rules_and_fire_when_they_should() -> None:
    promtool = tool("promtool")

    assert "SUCCESS" in done(promtool, "check", "rules", DEPLOY / "prometheus" / "alerts.yml")
    assert "SUCCESS" in done(promtool, "test", "rules", Path(__file__).parent / "alerts_test.yml")


def test_every_alert_is_tested() -> None:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    cases = yaml.safe_load((Path(__file__).parent / "alerts_test.yml").read_text())["tests"]
    rules = {rule["alert"] for group in groups for rule in group["rules"]}
    fired = {t["alertname"] for c in cases for t in c["alert_rule_test"] if t.get("exp_alerts")}
    quiet = {t["alertname"] for c in cases for t in c["alert_rule_test"] if not t.get("exp_alerts")}

    assert rules and fired == rules and quiet == rules


def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DEPLOY / "prometheus", tmp_path / "prometheus"))
    token = tmp_path / "token"
    token.write_text("open-sesame")
    config = folder / "prometheus.yml"
    config.write_text(config.read_text().replace("/run/secrets/token", str(token)))

    assert "SUCCESS" in done(tool("promtool"), "check", "config", config)


def test_the_unit_is_one_and_leaves_little_open(tmp_path: Path) -> None:
    unit = tmp_path / "edgekit.service"
    text = (DEPLOY / "edgekit.service").read_text()
    unit.write_text(text.replace("/opt/edgekit/bin/edgekit", sys.executable))
    analyze = tool("systemd-analyze")

    assert done(analyze, "verify", unit) == ""
    told = done(analyze, "security", "--offline=true", "--threshold=20", unit)  # of 100
    assert "OK" in told


def test_kubernetes_takes_what_is_for_it() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="make test-deploy installs it")
    for document in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()):
        validate.validate(document, "1.30", strict=True)


def test_the_composition_is_one() -> None:
    docker = tool("docker")
    if subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("no docker compose here")
    done("env", "MODEL=/tmp", docker, "compose", "-f", DEPLOY / "compose.yaml", "config", "--quiet")


def served_by(path: Path) -> list[str]:
    """The command lines of ``edgekit serve`` in a file, without what each is a choice of the user's."""
    if path.suffix == ".service":
        lines = re.findall(r"^ExecStart=\S+ (.*) \$EDGEKIT_SERVE$", path.read_text(), re.MULTILINE)
        more = re.findall(r'^Environment="EDGEKIT_SERVE=(.*)"', path.read_text(), re.MULTILINE)
        return [f"{a} {b}" for a, b in zip(lines, more, strict=True)]
    found: list[str] = []

    def look(part: object) -> None:
        if isinstance(part, dict):
            for key, value in part.items():
                if key in ("args", "command") and value[0] == "serve":
                    found.append(" ".join(value))
                look(value)
        elif isinstance(part, list):
            for value in part:
                look(value)

    look(list(yaml.safe_load_all(path.read_text())))
    return found


@pytest.mark.parametrize(
    "name", ["edgekit.service", "compose.yaml", "kubernetes.yaml", "kserve.yaml"]
)
def test_the_commands_are_ones_that_edgekit_knows(name: str, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from edgekit.cli.main import main

    (command,) = served_by(DEPLOY / name)
    words = command.split()
    (tmp_path / "token").write_text("open-sesame")
    if "--token-file" in words:
        words[words.index("--token-file") + 1] = str(tmp_path / "token")
    words[next(i for i, w in enumerate(words) if w.startswith(("/srv", "/models")))] = (
        "nothing-here"
    )

    ended = CliRunner().invoke(main, words)
    assert "nothing-here: there is no such file or folder" in ended.output, ended.output


def test_probes_ask_for_addresses_that_need_no_token() -> None:
    from edgekit.serving.guard import FOR_EVERYBODY

    asked = re.findall(r"path: (/v2\S+?)[,}]", (DEPLOY / "kubernetes.yaml").read_text())
    assert asked and set(asked) == set(FOR_EVERYBODY)


def test_the_dashboard_is_json_that_grafana_finds() -> None:
    board = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text())
    (provider,) = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/dashboards/edgekit.yaml").read_text()
    )["providers"]
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["grafana"]
    (source,) = yaml.safe_load(
        (DEPLOY / "grafana/provisioning/datasources/prometheus.yaml").read_text()
    )["datasources"]

    assert any(v.split(":")[1].startswith(provider["options"]["path"]) for v in compose["volumes"])
    panels = [p for p in board["panels"] if p["type"] != "row"]
    assert panels and all(p["datasource"]["uid"] == source["uid"] for p in panels)
    assert len({p["id"] for p in board["panels"]}) == len(board["panels"])

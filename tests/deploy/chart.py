"""The Helm chart, rendered by Helm's own library in a process of its own: a Go runtime does not fit into every other."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import yaml

from tests.deploy.files import DEADLINE_SECONDS, DEPLOY

CHART = DEPLOY / "helm" / "rockdove"

_RENDER = """
import json, sys, helm_python
chart, values = sys.argv[1], json.loads(sys.argv[2])
report = helm_python.lint(chart, values, strict=True)
with helm_python.Chart.load(chart) as loaded:
    loaded.validate_schema(values)
    files = loaded.render(values, name="im", namespace="chat")
print(json.dumps([report, files]))
"""


class ChartError(Exception):
    """Helm refuses the chart with these values; the text says why."""


def render(values: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """The manifests, by kind and name. Raises ChartError, also for what `helm lint --strict` finds."""
    command = [sys.executable, "-c", _RENDER, str(CHART), json.dumps(values)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=DEADLINE_SECONDS)
    if done.returncode:
        raise ChartError(done.stderr.strip().splitlines()[-1])
    report, files = json.loads(done.stdout)
    findings = [message for message in report["messages"] if message["severity"] > 1]
    if findings or report["errors"]:
        raise ChartError(f"{findings} {report['errors']}")
    manifests = [each for text in files.values() for each in yaml.safe_load_all(text) if each]
    return {(each["kind"], each["metadata"]["name"]): each for each in manifests}

#!/usr/bin/env python3
"""Makes dashboard.json, the Grafana dashboard of Apus, from the tables in dashboard_rows.py.

    dashboard.py            writes dashboard.json
    dashboard.py --check    fails where dashboard.json is not what the tables say

Queries in the tables are short: each metric gets the selector of the dashboard's variables, and `[$r]` is Grafana's
range for rates.
"""

import json
import re
import sys
from pathlib import Path

from dashboard_rows import ROWS

FILE = Path(__file__).with_name("dashboard.json")
SELECTOR = 'job="$job",instance=~"$instance"'
METRIC = re.compile(r"\b(?P<name>(?:apus|process)_\w+|up)\b(?:\{(?P<labels>[^}]*)\})?")
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
COLUMNS, HEIGHTS = 24, {"stat": 4, "timeseries": 8}


def query(text):
    """The query as Grafana sends it, but for the variables."""
    def selected(match):
        labels = ",".join(filter(None, [SELECTOR, match["labels"]]))
        return f"{match['name']}{{{labels}}}"
    return METRIC.sub(selected, text).replace("[$r]", "[$__rate_interval]")


def colors(panel):
    steps = [{"color": "green", "value": None}]
    steps += [{"color": color, "value": value} for color, value in zip(("orange", "red"), panel.limits)]
    return {"mode": "absolute", "steps": steps}


def look(panel):
    """What is particular to the kind of panel: its options, and `custom` of its fields."""
    if panel.kind == "stat":
        options = {"colorMode": "value", "graphMode": "area", "justifyMode": "auto", "orientation": "auto",
                   "textMode": "auto", "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        return options, {}
    options = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    stacking = {"mode": "normal" if panel.stacked else "none", "group": "A"}
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if panel.stacked else 8, "showPoints": "never",
              "stacking": stacking, "thresholdsStyle": {"mode": "dashed" if panel.limits else "off"}}
    return options, {"custom": custom}


def shown(panel, identifier, x, y):
    options, custom = look(panel)
    targets = [{"refId": chr(ord("A") + number), "datasource": SOURCE, "editorMode": "code", "range": True,
                "expr": query(text), "legendFormat": legend} for number, (text, legend) in enumerate(panel.queries)]
    color = "thresholds" if panel.kind == "stat" else "palette-classic"
    defaults = {"unit": panel.unit, "min": 0, "color": {"mode": color}, "thresholds": colors(panel), "mappings": [],
                **custom}
    return {"id": identifier, "type": panel.kind, "title": panel.title, "description": panel.description,
            "datasource": SOURCE, "gridPos": {"x": x, "y": y, "w": panel.width, "h": HEIGHTS[panel.kind]},
            "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options, "targets": targets}


def panels():
    """All of them: a heading for each row, and its panels from the left to the right."""
    found, y = [], 0
    for title, row in ROWS:
        found.append({"id": len(found) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                      "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1}})
        x, y, height = 0, y + 1, 0
        for panel in row:
            if x + panel.width > COLUMNS:
                x, y, height = 0, y + height, 0
            found.append(shown(panel, len(found) + 1, x, y))
            x, height = x + panel.width, max(height, HEIGHTS[panel.kind])
        y += height
    return found


def variable(name, label, text, many):
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "definition": text,
            "query": {"query": text, "refId": name}, "refresh": 2, "sort": 1, "multi": many, "includeAll": many,
            "current": {"text": "All", "value": "$__all"} if many else {}, "options": [], "hide": 0}


def dashboard():
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "refresh": 1,
              "multi": False, "includeAll": False, "current": {}, "options": [], "hide": 0}
    variables = [source, variable("job", "Job", "label_values(apus_build_info, job)", False),
                 variable("instance", "Instance", 'label_values(apus_build_info{job="$job"}, instance)', True)]
    alerts = {"name": "Alerts", "enable": True, "iconColor": "red", "datasource": SOURCE,
              "titleFormat": "{{alertname}}", "step": "1m",
              "expr": 'ALERTS{alertname=~"Apus.*",alertstate="firing",instance=~"$instance"}'}
    return {"id": None, "uid": "apus-server", "title": "Apus", "tags": ["apus"], "schemaVersion": 39, "version": 1,
            "description": "A server, or several, of the publish/subscribe server Apus.", "editable": True,
            "graphTooltip": 1, "timezone": "browser", "time": {"from": "now-1h", "to": "now"}, "refresh": "30s",
            "templating": {"list": variables}, "annotations": {"list": [alerts]}, "links": [], "panels": panels()}


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit("usage: dashboard.py [--check]")
    text = json.dumps(dashboard(), indent=1) + "\n"
    if not arguments:
        FILE.write_text(text)
    elif not FILE.is_file() or FILE.read_text() != text:
        sys.exit("dashboard.json is not what the tables say: run Deploy/observability/dashboard.py")


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a PromQL expression names: metrics, and their labels."""

import json
from dataclasses import dataclass, field

import promql_parser
import yaml
from promql_parser import AggregateExpr, MatchOp, VectorSelector

from prometheus_server import FILES

# What stands for the variables of the dashboard in a query.
VARIABLES = {"$job": "apus", "$instance": ".*", "$__rate_interval": "1m"}
# Labels that Prometheus adds to what it scrapes.
OF_SCRAPES = {"job", "instance"}


@dataclass
class Named:
    """A metric, the values that its labels must have, and labels by which it is summed."""

    metric: str
    values: dict = field(default_factory=dict)
    labels: set = field(default_factory=set)


def named(text):
    """All metrics in the expression, which must be valid."""
    found, aggregations = [], []

    def enter(node):
        if isinstance(node, AggregateExpr):
            aggregations.append(set(node.modifier.labels) if node.modifier else set())
        elif isinstance(node, VectorSelector):
            values = {matcher.name: matcher.value.split("|") for matcher in node.matchers.matchers}
            assert all(matcher.op in (MatchOp.Equal, MatchOp.NotEqual, MatchOp.Re, MatchOp.NotRe)
                       for matcher in node.matchers.matchers)
            found.append(Named(node.name, values, set().union(*aggregations) - OF_SCRAPES))

    def leave(node):
        if isinstance(node, AggregateExpr):
            aggregations.pop()

    promql_parser.walk(promql_parser.parse(text), enter, leave)
    return found


def rules():
    """Those of recording.yml and alerts.yml."""
    files = [yaml.safe_load((FILES / name).read_text()) for name in ("recording.yml", "alerts.yml")]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def dashboard():
    return json.loads((FILES / "dashboard.json").read_text())


def replaced(query, **others):
    for name, value in (VARIABLES | others).items():
        query = query.replace(name, value)
    return query


def panel_queries():
    """Title, query and legend of each query in the dashboard."""
    return [(panel["title"], replaced(target["expr"]), target["legendFormat"])
            for panel in dashboard()["panels"] for target in panel.get("targets", [])]

"""A strict reader of the Prometheus text format 0.0.4."""

import math
import re
from collections import Counter

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_COMMENT = re.compile(rf"# (HELP|TYPE) ({_NAME}) (.*)")
_SAMPLE = re.compile(rf"({_NAME})(?:\{{(.*)\}})? (\S+)")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)",?')
_PARTS = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("_sum", "_count", "")}


class Scrape:
    """The samples of one scrape, by name and labels."""

    def __init__(self, text):
        assert text.endswith("\n")
        self.types, self.samples, self._closed = {}, {}, set()
        family = None
        for line in text.split("\n")[:-1]:
            if line.startswith("#"):
                kind, name, rest = _COMMENT.fullmatch(line).groups()
                if name != family:
                    assert name not in self._closed, f"{name} in two places"
                    self._closed.add(name)
                    family = name
                if kind == "TYPE":
                    assert name not in self.types and rest in ("counter", "gauge", "histogram", "summary", "untyped")
                    self.types[name] = rest
            else:
                self._add(line, family)
        self._check_histograms()

    def _add(self, line, family):
        name, labels, value = _SAMPLE.fullmatch(line).groups()
        kind = self.types[family]
        assert name in [family + part for part in _PARTS.get(kind, ("",))], f"{line} under {family}"
        pairs = _LABEL.findall(labels or "")
        assert "".join(f'{label}="{text}",' for label, text in pairs).rstrip(",") == (labels or "").rstrip(","), line
        key = (name, tuple(sorted(pairs)))
        assert key not in self.samples and len(dict(pairs)) == len(pairs), line
        self.samples[key] = float(value)
        assert not math.isnan(self.samples[key]), line
        if kind == "counter":
            assert name.endswith("_total") and self.samples[key] >= 0, line

    def _check_histograms(self):
        for name in (name for name, kind in self.types.items() if kind == "histogram"):
            groups = {}
            for (sample, labels), value in self.samples.items():
                if sample == f"{name}_bucket":
                    rest = tuple(pair for pair in labels if pair[0] != "le")
                    groups.setdefault(rest, []).append((float(dict(labels)["le"]), value))
            for rest, buckets in groups.items():
                buckets.sort()
                assert buckets[-1][0] == math.inf
                assert [value for _, value in buckets] == sorted(value for _, value in buckets)
                assert buckets[-1][1] == self.samples[f"{name}_count", rest]

    def __getitem__(self, name):
        """The sum over all labels; 0 where there is no such sample."""
        return sum(value for (sample, _), value in self.samples.items() if sample == name)

    def labelled(self, name, label):
        """The sums by the values of one label."""
        sums = Counter()
        for (sample, labels), value in self.samples.items():
            if sample == name:
                sums[dict(labels)[label]] += value
        return sums


def scrape(server, path="/metrics", headers=None):
    response = server.rest("GET", path, headers=headers)
    assert response.status == 200, response.body
    assert re.fullmatch(r"text/plain; ?version=0\.0\.4(; ?charset=utf-8)?", response.headers["Content-Type"])
    return Scrape(response.body.decode())


OUTCOMES = ("delivered_total", "dropped_total", "expired_total", "conflated_total", "own_total", "pending")


def books(told):
    """What came in for all subscriptions, and where it went, by name."""
    came = told["apus_messages_matched_total"] + told["apus_messages_replayed_total"]
    return came, {name: told[f"apus_messages_{name}"] for name in OUTCOMES}


def balanced(told):
    came, went = books(told)
    return came == sum(went.values())

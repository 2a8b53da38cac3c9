"""What rounds had for a result, as a table."""

from kinds import KINDS


def longest(rounds, name):
    values = [each[name] for each in rounds if each.get(name) is not None]
    return f"{max(values):.1f} s" if values else "-"


def table(rounds):
    """Markdown: a row for each class of faults, and what was odd below it."""
    names = ["fault", "rounds", "acked", "refused", "lost", "doubled", "longest gap elsewhere",
             "longest until acks everywhere", "longest until NATS had a leader"]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    kinds = [kind for kind in KINDS if any(each["kind"] == kind for each in rounds)]
    for kind in [*kinds, None]:
        those = [each for each in rounds if kind in (None, each["kind"])]
        figures = [len(those), *(sum(each[name] for each in those) for name in ("acked", "refused", "lost", "doubled"))]
        cells = [kind or "all", *map(str, figures), *(longest(those, name) for name in ("gap", "recovery", "election"))]
        lines.append(f"| {' | '.join(cells)} |")
    odd = [f"- `--only {each['kind']} --seed {each['seed']}`: {each['text']}: {fault}"
           for each in rounds for fault in each["anomalies"]]
    hands = [f"- `{each['kind']}`, {each['text']}: {each['hand']}" for each in rounds if each["hand"]]
    for title, those in (("Anomalies", odd), ("What took a hand", hands)):
        lines += ["", f"{title}: {len(those) or 'none'}."] + ([""] + those if those else [])
    return "\n".join(lines) + "\n"

"""The messages of the protocol's table: what the server may send, and nothing else."""

import json
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "Sources/ApusServer/Resources/asyncapi"


@cache
def forms():
    """The members that each kind of message must have and those that it may have, without its time."""
    known = {}
    for name in ("replies", "infos"):
        for message in json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")).values():
            payload = message["payload"]
            own = payload["properties"]
            required, allowed = known.setdefault((own["type"]["const"], own.get("msg", {}).get("const")),
                                                 (set(payload["required"]), set()))
            required &= set(payload["required"])
            allowed |= set(own)
    return {kind: (required - {"{{time}}"}, allowed - {"{{time}}"}) for kind, (required, allowed) in known.items()}


def check_form(message):
    """Fails where a message, without its time, has a member that the table does not have, or lacks one.

    The table has each answer to a command apart; this takes those of one type together.
    """
    kind = (message.get("type"), message.get("msg") if message.get("type") == "info" else None)
    assert kind in forms(), f"the table of messages has no {kind}: {message}"
    required, allowed = forms()[kind]
    assert required <= message.keys() <= allowed, f"{message} is not what the table has: {sorted(allowed)}"

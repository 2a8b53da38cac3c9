"""The document at `/asyncapi.json`: its parts, its references and its schemas."""

import copy
from dataclasses import dataclass

from jsonschema import Draft7Validator, FormatChecker
from jsonschema.exceptions import best_match

from apus_e2e import V1


def closed(schema):
    """The schema without room for members that it does not name. What says of itself that it has room keeps it."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: closed(value) for name, value in schema.items()}
    if "properties" in schema and schema.get("type") == "object":
        schema.setdefault("additionalProperties", False)
    return schema


def references(node):
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


@dataclass
class Document:
    json: dict

    def at(self, reference):
        """What a reference in the document leads to."""
        assert reference.startswith("#/"), reference
        node = self.json
        for name in reference[2:].split("/"):
            node = node[name.replace("~1", "/").replace("~0", "~")]
        return node

    def resolved(self, node):
        while "$ref" in node:
            node = self.at(node["$ref"])
        return node

    @property
    def messages(self):
        return self.json["components"]["messages"]

    def operation(self, command, dialect):
        """The operation that a message of that name is a command of."""
        channel = "v1" if dialect is V1 else "base"
        reference = f"#/channels/{channel}/messages/{command}"
        return next(each for each in self.json["operations"].values()
                    if each["action"] == "receive" and {"$ref": reference} in each["messages"])

    def validator(self, payload):
        """Of a schema in the document, with no room for more members, and with the formats of strings."""
        schema = closed(copy.deepcopy(payload)) | {"components": closed(copy.deepcopy(self.json["components"]))}
        Draft7Validator.check_schema(schema)
        return Draft7Validator(schema, format_checker=FormatChecker())

    def check(self, name, value):
        """The value must be what the message of that name says."""
        error = best_match(self.validator(self.messages[name]["payload"]).iter_errors(value))
        assert error is None, f"{value} is no {name}: {error.message} at {list(error.path)}"

    def kind(self, message, suffix=""):
        """The name of a message that is no ack, by what it says of itself."""
        for name, candidate in self.messages.items():
            own = candidate["payload"]["properties"]
            same_time = ("timestamp" in own) == (suffix == "V1")
            if own["type"]["const"] == message["type"] and own.get("msg", {}).get("const") == message.get("msg") and same_time:
                return name
        raise AssertionError(f"the document has no such message: {message}")

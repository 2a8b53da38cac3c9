import ApusProtocol

extension OpenAPIDocument {
    static func settingsSchemas(_ settings: ServerConfiguration) -> String {
        #"""
          "OverflowPolicy": { "enum": [\#(policies)] },
          "ChangeTopic": {
            "type": "object",
            "description": "Of the names given here and no others.",
            "additionalProperties": false,
            "properties": {
              "history": { "type": ["integer", "null"], "minimum": 0, "maximum": \#(TopicSettingsFields.maxHistory) },
              "history_age": { "$ref": "#/components/schemas/SettingDuration" },
              "history_bytes": { "type": ["integer", "null"], "minimum": 0, "maximum": \#(1 << 40) },
              "queue": { "type": ["integer", "null"], "minimum": 1, "maximum": \#(max(settings.limits.maxQueue, 1)) },
              "overflow": { "enum": [\#(policies), null] },
              "dedupe_window": { "$ref": "#/components/schemas/SettingDuration" },
              "ttl": { "$ref": "#/components/schemas/SettingDuration" }
            }
          },
          "TopicSettings": {
            "type": "object",
            "description": "Those in force; the server's where the topic has none of its own.",
            "required": ["history", "history_age", "history_bytes", "queue", "overflow", "dedupe_window", "ttl"],
            "properties": {
              "history": { "$ref": "#/components/schemas/Count" },
              "history_age": { "type": ["string", "null"] },
              "history_bytes": { "type": ["integer", "null"] },
              "queue": { "$ref": "#/components/schemas/Count" },
              "overflow": { "$ref": "#/components/schemas/OverflowPolicy" },
              "dedupe_window": { "type": ["string", "null"] },
              "ttl": { "type": ["string", "null"] }
            }
          },
          "TopicPut": {
            "type": "object",
            "required": ["status", "topic", "settings", "epoch"],
            "properties": {
              "status": { "enum": ["created", "updated"] },
              "topic": { "$ref": "#/components/schemas/TopicName" },
              "settings": { "$ref": "#/components/schemas/TopicSettings" },
              "epoch": { "type": "string" }
            }
          },
          "Topic": {
            "type": "object",
            "required": ["name", "settings", "epoch", "first", "last", "bytes", "messages", "rates", "subscribers"],
            "properties": {
              "name": { "$ref": "#/components/schemas/TopicName" },
              "settings": { "$ref": "#/components/schemas/TopicSettings" },
              "epoch": { "type": "string" },
              "first": { "$ref": "#/components/schemas/Count" },
              "last": { "$ref": "#/components/schemas/Count" },
              "bytes": { "$ref": "#/components/schemas/Count" },
              "messages": { "$ref": "#/components/schemas/Count" },
              "rates": {
                "type": "object",
                "required": ["messages_per_second", "bytes_per_second"],
                "properties": { "messages_per_second": { "type": "number" }, "bytes_per_second": { "type": "number" } }
              },
              "subscribers": { "$ref": "#/components/schemas/Count" }
            }
          }
        """#
    }

    private static let policies = OverflowPolicy.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")

    static let messageSchemas = [published(.base), published(.v1), page(.base), page(.v1), message]
        .joined(separator: ",\n")

    private static func published(_ dialect: PathDialect) -> String {
        #"""
          "\#(dialect.published)": {
            "type": "object",
            "description": "Of a batch with `count` in place of `id`, and the offset of its first message.",
            "required": ["status", "topic", "epoch", "offset", "subscribers", "stored", "\#(dialect.timeMember)"],
            "properties": {
              "status": { "const": "published" },
              "topic": { "$ref": "#/components/schemas/TopicName" },
              "id": { "type": "string" },
              "count": { "$ref": "#/components/schemas/Count" },
              "epoch": { "type": "string" },
              "offset": { "$ref": "#/components/schemas/Count" },
              "subscribers": { "$ref": "#/components/schemas/Count" },
              "stored": { "enum": ["memory", "disk", "replicated"] },
              "duplicate": { "const": true },
              "duplicates": { "$ref": "#/components/schemas/Count" },
              "\#(dialect.timeMember)": { "type": "string", "format": "date-time" }
            }
          }
        """#
    }

    private static func page(_ dialect: PathDialect) -> String {
        #"""
          "\#(dialect.page)": {
            "type": "object",
            "description": "`first` and `last` are the topic's, `next` is the `after` of the next page.",
            "required": ["epoch", "first", "last", "messages", "next"],
            "properties": {
              "epoch": { "type": "string" },
              "first": { "$ref": "#/components/schemas/Count" },
              "last": { "$ref": "#/components/schemas/Count" },
              "messages": {
                "type": "array",
                "items": {
                  "type": "object",
                  "required": ["offset", "message", "\#(dialect.timeMember)"],
                  "properties": {
                    "offset": { "$ref": "#/components/schemas/Count" },
                    "message": { "$ref": "#/components/schemas/Message" },
                    "key": { "type": "string" },
                    "\#(dialect.timeMember)": { "type": "string", "format": "date-time" }
                  }
                }
              },
              "next": { "$ref": "#/components/schemas/Count" },
              "recovered": { "const": false },
              "missed": {
                "type": "object",
                "required": ["from", "to"],
                "properties": {
                  "from": { "$ref": "#/components/schemas/Count" },
                  "to": { "$ref": "#/components/schemas/Count" }
                }
              }
            }
          }
        """#
    }

    private static let message = #"""
          "StreamEvent": {
            "type": "object",
            "description": "Each event of a stream. `data` is the JSON of a message or of what else there is to tell, as \#
        over WebSocket; `id` is the position after it.",
            "required": ["event", "data"],
            "properties": {
              "event": { "enum": ["message", "info"] },
              "id": { "type": "string" },
              "data": { "type": "string", "contentMediaType": "application/json" }
            }
          },
          "Message": {
            "type": "object",
            "required": ["id", "payload"],
            "properties": { "id": { "type": "string" }, "payload": {} }
          }
        """#

    static let subscriberSchemas = [
        #"""
          "Subscribers": {
            "type": "object",
            "required": ["subscribers", "gone"],
            "properties": {
              "subscribers": { "type": "array", "items": { "$ref": "#/components/schemas/Subscriber" } },
              "gone": { "type": "array", "items": { "$ref": "#/components/schemas/GoneSubscriber" } }
            }
          }
        """#,
        subscriber(
            "Subscriber",
            required: #""lag", "throttled_ms", "held_ms""#,
            #"""
            "lag": {
              "type": "object",
              "required": ["messages", "bytes", "ms"],
              "properties": {
                "messages": { "$ref": "#/components/schemas/Count" },
                "bytes": { "$ref": "#/components/schemas/Count" },
                "ms": { "$ref": "#/components/schemas/Count" }
              }
            },
            "throttled_ms": { "$ref": "#/components/schemas/Count" },
            "held_ms": { "$ref": "#/components/schemas/Count" }
            """#
        ),
        subscriber(
            "GoneSubscriber",
            required: #""reason", "at""#,
            #""reason": { "type": "string" }, "at": { "type": "string", "format": "date-time" }"#
        ),
    ].joined(separator: ",\n")

    private static func subscriber(_ name: String, required: String, _ members: String) -> String {
        #"""
          "\#(name)": {
            "type": "object",
            "required": [
              "topic", "client_id", "connection", "address", "transport", "since", "policy", "queue", "delivered",
              "dropped", \#(required)
            ],
            "properties": {
              "topic": { "$ref": "#/components/schemas/TopicName" },
              "client_id": { "type": "string" },
              "connection": { "$ref": "#/components/schemas/Count" },
              "address": { "type": "string" },
              "transport": { "enum": ["websocket", "sse", "poll"] },
              "since": { "type": "string", "format": "date-time" },
              "policy": { "$ref": "#/components/schemas/OverflowPolicy" },
              "queue": { "$ref": "#/components/schemas/Count" },
              "pattern": { "type": "string" },
              "delivered": { "$ref": "#/components/schemas/Count" },
              "dropped": { "$ref": "#/components/schemas/Count" },
              \#(members)
            }
          }
        """#
    }
}

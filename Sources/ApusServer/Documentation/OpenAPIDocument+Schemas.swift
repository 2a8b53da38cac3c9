import ApusProtocol

extension OpenAPIDocument {
    static func schemas(_ settings: ServerConfiguration) -> String {
        """
        "schemas": {
        \([topicSchemas, durationSchemas, settingsSchemas(settings), messageSchemas, subscriberSchemas, stateSchemas].joined(separator: ",\n"))
        }
        """
    }

    private static let topicSchemas = #"""
          "TopicName": {
            "type": "string",
            "description": "1 to 255 bytes of UTF-8 without control characters, `*` or `>`.",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f*>]+$"
          },
          "TopicOrPattern": {
            "type": "string",
            "description": "A topic's name, or one with tokens between dots that are `*`, or `>` as the last.",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^(>|\#(token)([.]\#(token))*([.]>)?)$"
          },
          "CreateTopic": {
            "type": "object",
            "required": ["name"],
            "properties": { "name": { "$ref": "#/components/schemas/TopicName" } }
          },
          "TopicCreated": {
            "type": "object",
            "required": ["status", "topic"],
            "properties": {
              "status": { "enum": ["created", "exists"] },
              "topic": { "$ref": "#/components/schemas/TopicName" }
            }
          },
          "TopicDeleted": {
            "type": "object",
            "required": ["status", "topic"],
            "properties": {
              "status": { "const": "deleted" },
              "topic": { "$ref": "#/components/schemas/TopicName" }
            }
          },
          "TopicList": {
            "type": "object",
            "required": ["topics"],
            "properties": {
              "topics": {
                "type": "array",
                "items": {
                  "type": "object",
                  "required": ["name", "subscribers"],
                  "properties": {
                    "name": { "$ref": "#/components/schemas/TopicName" },
                    "subscribers": { "$ref": "#/components/schemas/Count" }
                  }
                }
              }
            }
          }
        """#

    private static let token = #"([^\\u0000-\\u001f\\u007f-\\u009f*>.]*|[*])"#

    private static let stateSchemas = #"""
          "Health": {
            "type": "object",
            "required": ["uptime_sec", "topics", "subscribers"],
            "properties": {
              "uptime_sec": { "$ref": "#/components/schemas/Count" },
              "topics": { "$ref": "#/components/schemas/Count" },
              "subscribers": { "$ref": "#/components/schemas/Count" }
            }
          },
          "HealthV1": {
            "type": "object",
            "required": ["uptime_seconds", "topics", "subscribers"],
            "properties": {
              "uptime_seconds": { "$ref": "#/components/schemas/Count" },
              "topics": { "$ref": "#/components/schemas/Count" },
              "subscribers": { "$ref": "#/components/schemas/Count" }
            }
          },
          "Stats": {
            "type": "object",
            "required": ["topics"],
            "properties": {
              "topics": {
                "type": "object",
                "additionalProperties": {
                  "type": "object",
                  "required": ["messages", "subscribers"],
                  "properties": {
                    "messages": {
                      "$ref": "#/components/schemas/Count",
                      "description": "Everything published since the topic was created, kept or not."
                    },
                    "subscribers": { "$ref": "#/components/schemas/Count" }
                  }
                }
              }
            }
          },
          "Count": { "type": "integer", "format": "int64", "minimum": 0, "maximum": \#(Int64.max) },
          "Probe": {
            "type": "object",
            "required": ["status"],
            "properties": { "status": { "enum": ["alive", "stuck", "ready", "draining"] } }
          },
          "Problem": {
            "type": "object",
            "description": "The one form of all errors (RFC 9457).",
            "required": ["type", "title", "status", "detail", "code"],
            "properties": {
              "type": { "type": "string", "format": "uri-reference" },
              "title": { "type": "string" },
              "status": { "type": "integer", "minimum": 400, "maximum": 599 },
              "detail": { "type": "string", "description": "For people; the text may change." },
              "code": {
                "type": "string",
                "description": "For programs; stable.",
                "enum": [\#(problemCodes)]
              }
            }
          }
        """#

    /// The error codes that a REST response can have.
    private static let problemCodes = ErrorCode.allCases
        .filter { $0 != .slowConsumer }
        .map { "\"\($0.rawValue)\"" }
        .joined(separator: ", ")
}

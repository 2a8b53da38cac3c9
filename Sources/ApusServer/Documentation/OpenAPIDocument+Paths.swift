extension OpenAPIDocument {
    /// The path items of one dialect, as members of `paths`.
    static func paths(of dialect: PathDialect) -> String {
        [topics(dialect), topic(dialect), state(dialect), socket(dialect)].joined(separator: ",\n")
    }

    private static func topics(_ dialect: PathDialect) -> String {
        #"""
        "\#(dialect.prefix)/topics": {
          "get": {
            "operationId": "listTopics\#(dialect.suffix)",
            "tags": ["\#(dialect.tag)"],
            "summary": "List topics",
            "responses": {
              "200": {
                "description": "All topics, in no order.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/TopicList" } } }
              },
              "401": { "$ref": "#/components/responses/Unauthorized" }
            }
          },
          "post": {
            "operationId": "createTopic\#(dialect.suffix)",
            "tags": ["\#(dialect.tag)"],
            "summary": "Create a topic",
            "requestBody": {
              "required": true,
              "content": {
                "application/json": {
                  "schema": { "$ref": "#/components/schemas/CreateTopic" },
                  "examples": { "orders": { "value": { "name": "orders" } } }
                }
              }
            },
            "responses": {
              "200": {
                "description": "It existed already. Only where `topics.create_existing` is `ok`.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/TopicCreated" } } }
              },
              "201": {
                "description": "Created.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/TopicCreated" } } }
              },
              "400": { "$ref": "#/components/responses/BadRequest" },
              "401": { "$ref": "#/components/responses/Unauthorized" },
              "409": { "$ref": "#/components/responses/TopicExists" },
              "413": { "$ref": "#/components/responses/TooLarge" },
              "503": { "$ref": "#/components/responses/Unavailable" }
            }
          }
        }
        """#
    }

    private static func topic(_ dialect: PathDialect) -> String {
        #"""
        "\#(dialect.prefix)/topics/{name}": {
          "delete": {
            "operationId": "deleteTopic\#(dialect.suffix)",
            "tags": ["\#(dialect.tag)"],
            "summary": "Delete a topic",
            "description": "Its subscribers get what was published before, then `topic_deleted`.",
            "parameters": [
              {
                "name": "name",
                "in": "path",
                "required": true,
                "description": "The topic, percent-encoded: `a/b` is `a%2Fb`.",
                "schema": { "$ref": "#/components/schemas/TopicName" },
                "example": "orders"
              }
            ],
            "responses": {
              "200": {
                "description": "Deleted.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/TopicDeleted" } } }
              },
              "400": { "$ref": "#/components/responses/BadRequest" },
              "401": { "$ref": "#/components/responses/Unauthorized" },
              "404": { "$ref": "#/components/responses/TopicNotFound" },
              "503": { "$ref": "#/components/responses/Unavailable" }
            }
          }
        }
        """#
    }

    private static func state(_ dialect: PathDialect) -> String {
        #"""
        "\#(dialect.prefix)/health": {
          "get": {
            "operationId": "getHealth\#(dialect.suffix)",
            "tags": ["\#(dialect.tag)"],
            "summary": "Is the server up",
            "security": [{}],
            "responses": {
              "200": {
                "description": "It serves.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/\#(dialect.health)" } } }
              }
            }
          }
        },
        "\#(dialect.prefix)/stats": {
          "get": {
            "operationId": "getStats\#(dialect.suffix)",
            "tags": ["\#(dialect.tag)"],
            "summary": "Counts for each topic",
            "responses": {
              "200": {
                "description": "The counts of this moment.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Stats" } } }
              },
              "401": { "$ref": "#/components/responses/Unauthorized" }
            }
          }
        }
        """#
    }

    private static func socket(_ dialect: PathDialect) -> String {
        #"""
        "\#(dialect.prefix)/ws": {
          "get": {
            "operationId": "openWebSocket\#(dialect.suffix)",
            "tags": ["\#(dialect.tag)"],
            "summary": "Open a WebSocket for messages",
            "description": "An upgrade after RFC 6455, version 13. Commands are JSON objects: `subscribe`, \#
        `unsubscribe`, `publish`, `ping` and `auth`. The server sends `ack`, `event`, `error`, `pong` and `info`, with \#
        the time in `\#(dialect.timeMember)`. A message's `id` is \#(dialect.messageID).",
            "parameters": [
              {
                "name": "api_key",
                "in": "query",
                "description": "The API key, for clients that cannot set a header. Or send it as first message, `auth`.",
                "schema": { "type": "string" }
              }
            ],
            "responses": {
              "101": { "description": "Switching protocols. What follows are WebSocket frames." },
              "400": { "$ref": "#/components/responses/BadRequest" },
              "401": { "$ref": "#/components/responses/Unauthorized" },
              "426": { "$ref": "#/components/responses/UpgradeRequired" },
              "503": { "$ref": "#/components/responses/Unavailable" }
            }
          }
        }
        """#
    }
}

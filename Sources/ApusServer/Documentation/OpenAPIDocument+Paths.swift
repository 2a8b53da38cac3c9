extension OpenAPIDocument {
    /// The path items of one dialect, as members of `paths`.
    static func paths(of dialect: PathDialect, _ settings: ServerConfiguration) -> String {
        [
            topics(dialect), topic(dialect), messages(dialect), streams(dialect, settings), subscribers(dialect),
            state(dialect), socket(dialect),
        ].joined(separator: ",\n")
    }

    private static func topics(_ dialect: PathDialect) -> String {
        #"""
        "\#(dialect.prefix)/topics": {
          "get": {
            "operationId": "listTopics\#(dialect.suffix)",
            "tags": ["\#(dialect.tag)"],
            "summary": "List topics",
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
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
              "default": { "$ref": "#/components/responses/Refused" },
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
              "415": { "$ref": "#/components/responses/UnsupportedEncoding" },
              "503": { "$ref": "#/components/responses/Unavailable" }
            }
          }
        }
        """#
    }

    private static func topic(_ dialect: PathDialect) -> String {
        #"""
        "\#(dialect.prefix)/topics/{name}": {
          "parameters": [{ "$ref": "#/components/parameters/Name" }],
          "get": {
            "operationId": "inspectTopic\#(dialect.suffix)",
            "tags": ["\#(dialect.tag)"],
            "summary": "Look at a topic",
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
              "200": {
                "description": "Its settings, what is kept, and how much is going on.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Topic" } } }
              },
              "400": { "$ref": "#/components/responses/BadRequest" },
              "401": { "$ref": "#/components/responses/Unauthorized" },
              "404": { "$ref": "#/components/responses/TopicNotFound" }
            }
          },
          \#(putTopic(dialect)),
          "delete": {
            "operationId": "deleteTopic\#(dialect.suffix)",
            "tags": ["\#(dialect.tag)"],
            "summary": "Delete a topic",
            "description": "Its subscribers get what was published before, then `topic_deleted`.",
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
              "200": {
                "description": "Deleted.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/TopicDeleted" } } }
              },
              "400": { "$ref": "#/components/responses/BadRequest" },
              "401": { "$ref": "#/components/responses/Unauthorized" },
              "404": { "$ref": "#/components/responses/TopicNotFound" },
              "413": { "$ref": "#/components/responses/TooLarge" },
              "503": { "$ref": "#/components/responses/Unavailable" }
            }
          }
        }
        """#
    }

    private static func putTopic(_ dialect: PathDialect) -> String {
        #"""
        "put": {
          "operationId": "putTopic\#(dialect.suffix)",
          "tags": ["\#(dialect.tag)"],
          "summary": "Create a topic with settings, or change them",
          "description": "What is not named stays as it is; `null` is the server's own setting again, or none.",
          "requestBody": {
            "content": {
              "application/json": {
                "schema": { "$ref": "#/components/schemas/ChangeTopic" },
                "examples": { "orders": { "value": { "history": 1000, "history_age": "1h", "dedupe_window": "2m" } } }
              }
            }
          },
          "responses": {
            "default": { "$ref": "#/components/responses/Refused" },
            "200": {
              "description": "Changed.",
              "content": { "application/json": { "schema": { "$ref": "#/components/schemas/TopicPut" } } }
            },
            "201": {
              "description": "Created.",
              "content": { "application/json": { "schema": { "$ref": "#/components/schemas/TopicPut" } } }
            },
            "400": { "$ref": "#/components/responses/BadRequest" },
            "401": { "$ref": "#/components/responses/Unauthorized" },
            "413": { "$ref": "#/components/responses/TooLarge" },
            "415": { "$ref": "#/components/responses/UnsupportedEncoding" },
            "503": { "$ref": "#/components/responses/Unavailable" }
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
              "default": { "$ref": "#/components/responses/Refused" },
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
              "default": { "$ref": "#/components/responses/Refused" },
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
        `unsubscribe`, `publish`, `ping` and `auth`. The server sends `ack`, `event`, `error`, `pong` and `info`, \#
        with the time in `\#(dialect.timeMember)`. A message's `id` is \#(dialect.messageID). Positions and \#
        recovery, policies for slow subscribers, patterns, presence and outcomes are fields of these commands.",
            "security": [{}, { "ApiKeyAuth": [] }, { "ApiKeyQuery": [] }],
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
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

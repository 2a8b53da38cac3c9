extension OpenAPIDocument {
    /// Event streams of one or several topics.
    static func streams(_ dialect: PathDialect, _ settings: ServerConfiguration) -> String {
        let security = security(settings, "ApiKeyAuth", "ApiKeyQuery")
        return #"""
            "\#(dialect.prefix)/topics/{name}/events": {
              "get": {
                "operationId": "followTopic\#(dialect.suffix)",
                "tags": ["\#(dialect.tag)"],
                "summary": "Follow a topic, as an event stream",
                "description": "Server-sent events: `event: message` with the same JSON as over WebSocket and its position \#
            as `id`, so that a browser goes on where it was; `event: info` for everything else.",
                "security": \#(security),
                "parameters": [
                  { "$ref": "#/components/parameters/Name" },
                  { "$ref": "#/components/parameters/LastEventID" },
                  { "$ref": "#/components/parameters/LastEventIDQuery" },
                  { "$ref": "#/components/parameters/LastN" },
                  { "$ref": "#/components/parameters/Since" },
                  \#(subscription)
                ],
                "responses": {
                  "default": { "$ref": "#/components/responses/Refused" },
                  \#(streamResponses)
                }
              }
            },
            "\#(dialect.prefix)/events": {
              "get": {
                "operationId": "followTopics\#(dialect.suffix)",
                "tags": ["\#(dialect.tag)"],
                "summary": "Follow topics and patterns, as an event stream",
                "description": "As for one topic, but without `id` if there are several or a pattern: what is published \#
            while such a stream is away is not replayed.",
                "security": \#(security),
                "parameters": [
                  { "$ref": "#/components/parameters/Topics" },
                  { "$ref": "#/components/parameters/LastN" },
                  { "$ref": "#/components/parameters/Since" },
                  \#(subscription)
                ],
                "responses": {
                  "default": { "$ref": "#/components/responses/Refused" },
                  \#(streamResponses)
                }
              }
            }
            """#
    }

    private static let subscription = #"""
        { "$ref": "#/components/parameters/ClientID" },
        { "$ref": "#/components/parameters/Overflow" },
        { "$ref": "#/components/parameters/Queue" },
        { "$ref": "#/components/parameters/Presence" },
        { "$ref": "#/components/parameters/WaitForTopic" }
        """#

    private static let streamResponses = #"""
        "200": {
          "description": "The stream, until the topics that it does not wait for are deleted, the client is too slow, or \#
        the server shuts down. For who says `Accept: text/event-stream` also in place of 503: an empty stream that ends, \#
        with the time to come back as `retry`.",
          "content": { "text/event-stream": { "schema": { "$ref": "#/components/schemas/StreamEvent" } } }
        },
        "400": { "$ref": "#/components/responses/BadRequest" },
        "401": { "$ref": "#/components/responses/Unauthorized" },
        "404": { "$ref": "#/components/responses/TopicNotFound" },
        "503": { "$ref": "#/components/responses/Unavailable" }
        """#

    /// Lists of subscribers and of slow subscribers.
    static func subscribers(_ dialect: PathDialect) -> String {
        #"""
        "\#(dialect.prefix)/topics/{name}/subscribers": {
          "get": {
            "operationId": "listTopicSubscribers\#(dialect.suffix)",
            "tags": ["\#(dialect.tag)"],
            "summary": "Who subscribes to a topic",
            "parameters": [
              { "$ref": "#/components/parameters/Name" },
              { "$ref": "#/components/parameters/Sort" },
              { "$ref": "#/components/parameters/ListLimit" }
            ],
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
              "200": {
                "description": "Subscriptions, and those that ended last.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Subscribers" } } }
              },
              "400": { "$ref": "#/components/responses/BadRequest" },
              "401": { "$ref": "#/components/responses/Unauthorized" },
              "404": { "$ref": "#/components/responses/TopicNotFound" }
            }
          }
        },
        "\#(dialect.prefix)/subscribers": {
          "get": {
            "operationId": "listSubscribers\#(dialect.suffix)",
            "tags": ["\#(dialect.tag)"],
            "summary": "Who subscribes to anything, and who is slow",
            "parameters": [
              { "$ref": "#/components/parameters/Sort" },
              { "$ref": "#/components/parameters/ListLimit" }
            ],
            "responses": {
              "default": { "$ref": "#/components/responses/Refused" },
              "200": {
                "description": "Subscriptions, and those that ended last.",
                "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Subscribers" } } }
              },
              "400": { "$ref": "#/components/responses/BadRequest" },
              "401": { "$ref": "#/components/responses/Unauthorized" }
            }
          }
        }
        """#
    }
}

extension OpenAPIDocument {
    /// Messages over HTTP: publishing, and history in pages.
    static func messages(_ dialect: PathDialect) -> String {
        #"""
        "\#(dialect.prefix)/topics/{name}/messages": {
          "parameters": [{ "$ref": "#/components/parameters/Name" }],
          \#(publish(dialect)),
          \#(history(dialect))
        }
        """#
    }

    private static func publish(_ dialect: PathDialect) -> String {
        #"""
        "post": {
          "operationId": "publishMessage\#(dialect.suffix)",
          "tags": ["\#(dialect.tag)"],
          "summary": "Publish",
          "description": "The body is the payload; with `application/x-ndjson` a batch, all of it taken or nothing.",
          "parameters": [
            { "$ref": "#/components/parameters/IdempotencyKey" },
            { "$ref": "#/components/parameters/MessageID" },
            { "$ref": "#/components/parameters/Key" },
            { "$ref": "#/components/parameters/Lifetime" }
          ],
          "requestBody": {
            "required": true,
            "description": "At most `max_message` bytes; may be encoded with gzip or deflate.",
            "content": {
              "application/json": {
                "schema": { "description": "Any JSON value." },
                "examples": { "order": { "value": { "order": "ORD-123", "amount": 99.5 } } }
              },
              "text/plain": { "schema": { "type": "string" } },
              "application/x-ndjson": {
                "schema": { "type": "string", "description": "A payload on each line, at most `max_batch`." }
              }
            }
          },
          "responses": {
            "default": { "$ref": "#/components/responses/Refused" },
            "200": {
              "description": "Its id was published within the topic's `dedupe_window`; it is not published again.",
              "content": { "application/json": { "schema": { "$ref": "#/components/schemas/\#(dialect.published)" } } }
            },
            "201": {
              "description": "Published.",
              "content": { "application/json": { "schema": { "$ref": "#/components/schemas/\#(dialect.published)" } } }
            },
            "400": { "$ref": "#/components/responses/BadRequest" },
            "401": { "$ref": "#/components/responses/Unauthorized" },
            "404": { "$ref": "#/components/responses/TopicNotFound" },
            "413": { "$ref": "#/components/responses/TooLarge" },
            "415": { "$ref": "#/components/responses/UnsupportedEncoding" },
            "503": { "$ref": "#/components/responses/Unavailable" }
          }
        }
        """#
    }

    private static func history(_ dialect: PathDialect) -> String {
        #"""
        "get": {
          "operationId": "readMessages\#(dialect.suffix)",
          "tags": ["\#(dialect.tag)"],
          "summary": "Read what is kept, or wait for more",
          "description": "Starts at the oldest kept, or where one of `last_n`, `since` and `after` says. A page ends \#
        earlier at 4 MiB.",
          "parameters": [
            { "$ref": "#/components/parameters/LastN" },
            { "$ref": "#/components/parameters/Since" },
            { "$ref": "#/components/parameters/After" },
            { "$ref": "#/components/parameters/Epoch" },
            { "$ref": "#/components/parameters/PageLimit" },
            { "$ref": "#/components/parameters/Wait" }
          ],
          "responses": {
            "default": { "$ref": "#/components/responses/Refused" },
            "200": {
              "description": "A page; an empty one where there was nothing, after `wait`.",
              "content": { "application/json": { "schema": { "$ref": "#/components/schemas/\#(dialect.page)" } } }
            },
            "400": { "$ref": "#/components/responses/BadRequest" },
            "401": { "$ref": "#/components/responses/Unauthorized" },
            "404": { "$ref": "#/components/responses/TopicNotFound" },
            "503": { "$ref": "#/components/responses/Unavailable" }
          }
        }
        """#
    }
}

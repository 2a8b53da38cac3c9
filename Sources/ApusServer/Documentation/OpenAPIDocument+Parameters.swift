extension OpenAPIDocument {
    static func parameters(_ settings: ServerConfiguration) -> String {
        let all = topicParameters + messageParameters + positionParameters + subscriptionParameters(settings)
        return """
            "parameters": {
            \(all.joined(separator: ",\n"))
            }
            """
    }

    private static let topicParameters = [
        parameter(
            "Name",
            "name",
            in: "path",
            "The topic, percent-encoded: `a/b` is `a%2Fb`.",
            schema: ref("TopicName"),
            example: "orders"
        ),
        parameter(
            "Topics",
            "topic",
            "A topic or a pattern such as `orders.*` or `orders.>`; up to 100 times.",
            schema: #"{ "type": "array", "items": \#(ref("TopicOrPattern")), "minItems": 1, "maxItems": 100 }"#,
            example: "orders",
            isRequired: true
        ),
        parameter(
            "Sort",
            "sort",
            "The largest first; `since`: the oldest first.",
            schema: #"{ "enum": ["lag", "delivered", "dropped", "since"], "default": "since" }"#
        ),
        parameter(
            "ListLimit",
            "limit",
            "How many, of those that are there and of those that are gone.",
            schema: #"{ "type": "integer", "minimum": 1, "maximum": 10000, "default": 100 }"#
        ),
    ]

    private static let messageParameters = [
        parameter(
            "IdempotencyKey",
            "Idempotency-Key",
            in: "header",
            "The message's id. Repeats are recognized where the topic has a `dedupe_window`.",
            schema: #"{ "type": "string", "minLength": 1, "maxLength": 256 }"#
        ),
        parameter(
            "MessageID",
            "id",
            "The same, for clients that cannot set a header. Without either, the server makes a UUID.",
            schema: #"{ "type": "string", "minLength": 1, "maxLength": 256 }"#
        ),
        parameter(
            "Key",
            "key",
            "What the message is about, for the policy `latest`.",
            schema: #"{ "type": "string", "minLength": 1, "maxLength": 256 }"#
        ),
        parameter(
            "Lifetime",
            "ttl",
            "How long it is worth delivering: `30s`, `500ms`, `1h`, or seconds.",
            schema: ref("Duration")
        ),
    ]

    private static let positionParameters = [
        parameter(
            "LastN",
            "last_n",
            "Start at the last so many messages, not counting those whose `ttl` has passed.",
            schema: #"{ "type": "integer", "minimum": 0 }"#
        ),
        parameter(
            "Since",
            "since",
            "Start where a duration began that has passed, or at the first `ts` of an RFC 3339 time or later; or `all`.",
            schema: ref("Since")
        ),
        parameter(
            "After",
            "after",
            "Start after this offset.",
            schema: ref("Count")
        ),
        parameter(
            "Epoch",
            "epoch",
            "The epoch that `after` is of. When it is over, what is kept is answered, with `recovered` false.",
            schema: #"{ "type": "string" }"#
        ),
        parameter(
            "PageLimit",
            "limit",
            "How many messages at the most.",
            schema: #"{ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 }"#
        ),
        parameter(
            "Wait",
            "wait",
            "How long to wait for the first message where there is none, at most `5m`.",
            schema: ref("WaitDuration")
        ),
        parameter(
            "LastEventID",
            "Last-Event-ID",
            in: "header",
            "The position to go on after, `EPOCH:OFFSET`: what a browser sends by itself.",
            schema: ref("Position")
        ),
        parameter(
            "LastEventIDQuery",
            "last_event_id",
            "The same, for clients that cannot set a header.",
            schema: ref("Position")
        ),
    ]

    private static func subscriptionParameters(_ settings: ServerConfiguration) -> [String] {
        [
            parameter(
                "ClientID",
                "client_id",
                "The subscriber's name in listings and presence.",
                schema:
                    #"{ "type": "string", "minLength": 1, "maxLength": \#(settings.limits.maxClientID), "default": "sse" }"#
            ),
            parameter(
                "Overflow",
                "overflow",
                "What happens when the client reads too slowly; else the topic's or the server's.",
                schema: ref("OverflowPolicy")
            ),
            parameter(
                "Queue",
                "queue",
                "How many messages it may lag behind, at most `max_queue`; else the topic's or the server's.",
                schema: #"{ "type": "integer", "minimum": 1, "maximum": \#(max(settings.limits.maxQueue, 1)) }"#
            ),
            parameter(
                "WaitForTopic",
                "wait",
                "Whether to wait for topics that are not there, by default of who has a last event id. Not with a pattern.",
                schema: #"{ "type": "boolean" }"#
            ),
            parameter(
                "Presence",
                "presence",
                "Whether to tell of others' subscriptions.",
                schema: #"{ "type": "boolean", "default": false }"#
            ),
        ]
    }

    private static func ref(_ schema: String) -> String { ##"{ "$ref": "#/components/schemas/\##(schema)" }"## }

    private static func parameter(
        _ component: String,
        _ name: String,
        in place: String = "query",
        _ description: String,
        schema: String,
        example: String? = nil,
        isRequired: Bool = false
    ) -> String {
        let example = example.map { #", "example": "\#($0)""# } ?? ""
        return #"""
              "\#(component)": {
                "name": "\#(name)", "in": "\#(place)", "required": \#(isRequired || place == "path"),
                "description": "\#(description)",
                "schema": \#(schema)\#(example)
              }
            """#
    }
}

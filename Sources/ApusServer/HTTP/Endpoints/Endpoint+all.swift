extension Endpoint {
    /// All endpoints of the server.
    static let all = [
        Endpoint("/topics", in: .dialects, .get(.listTopics), .post(.createTopic)),
        Endpoint("/topics/{name}", in: .dialects, .get(.inspectTopic), .put(.putTopic), .delete(.deleteTopic)),
        Endpoint(
            "/topics/{name}/messages",
            in: .dialects,
            .get(.readMessages),
            .post(.publishMessage),
            .delete(.purgeTopic)
        ),
        Endpoint("/topics/{name}/subscribers", in: .dialects, .get(.listTopicSubscribers)),
        Endpoint("/topics/{name}/events", .eventStream, in: .dialects, .get(.followTopic)),
        Endpoint("/events", .eventStream, in: .dialects, .get(.followTopics)),
        // The first message may contain the credential.
        Endpoint("/ws", .webSocket, in: .dialects, .get(.openWebSocket, needs: .nothing)),
        Endpoint("/subscribers", in: .dialects, .get(.listSubscribers)),
        Endpoint("/stats", in: .dialects, .get(.getStats)),
        Endpoint("/cluster", in: .server, .get(.getCluster)),
        Endpoint("/revocations", in: .server, .get(.listRevocations), .post(.revoke)),
        Endpoint("/revocations/{id}", in: .server, .delete(.deleteRevocation)),
        Endpoint("/trace", in: .server, .get(.traceMessage)),
        Endpoint("/connections/{id}", in: .server, .delete(.kickConnection)),
        Endpoint("/access", in: .server, .get(.getAccess)),
        Endpoint("/access/check", in: .server, .post(.checkAccess)),
        Endpoint("/access/keys", in: .server, .get(.listKeys)),
        // Health counts what the client may see. Documentation reveals nothing confidential.
        Endpoint("/health", in: .dialects, isProbe: true, .get(.getHealth, needs: .identity)),
        Endpoint("/livez", in: .machine, isProbe: true, .get(.getLiveness, needs: .nothing)),
        Endpoint("/readyz", in: .machine, isProbe: true, .get(.getReadiness, needs: .nothing)),
        Endpoint("/metrics", in: .server, isProbe: true, .get(.getMetrics)),
        Endpoint("/apus.js", .document, in: .server, .get(.getClient, needs: .nothing)),
        Endpoint("/apus.d.ts", .document, in: .server, .get(.getClientTypes, needs: .nothing)),
        Endpoint("/docs", .document, in: .server, .get(.getDocs, needs: .nothing)),
        Endpoint("/docs.js", .document, in: .server, .get(.getDocsScript, needs: .nothing)),
        Endpoint("/docs.css", .document, in: .server, .get(.getDocsStyle, needs: .nothing)),
        Endpoint("/openapi.json", .document, in: .server, .get(.getOpenAPI, needs: .nothing)),
        Endpoint("/asyncapi.json", .document, in: .server, .get(.getAsyncAPI, needs: .nothing)),
        Endpoint("/", in: .server, .get(.getService, needs: .nothing)),
        Endpoint("/console/stream", .figures, in: .server, .get(.followConsole)),
        Endpoint("/console/topics", in: .server, .get(.getConsoleTopics)),
        Endpoint("/console/sample", in: .server, .get(.getConsoleSample)),
        Endpoint("/console/log", in: .server, .get(.getConsoleLog)),
        // A name of a file comes last: the paths above are none.
        Endpoint("/console/{file}", .document, in: .server, .get(.getConsoleFile, needs: .nothing)),
    ]
}

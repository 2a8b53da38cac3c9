import ApusClient
import NIOHTTP1

/// Which extensions a server supports, found by trying them.
struct ServerFeatures: Equatable {
    /// The transports that support positions.
    var transports: [VerifyTransport]
    /// Whether the server accepts messages by POST.
    var takesPosts: Bool

    /// Tries each transport in `wanted` on an existing topic. `missing` is called with what the server does not
    /// support.
    static func probe(
        _ wanted: [VerifyTransport],
        topic: String,
        readers: VerifyReaders,
        client: RESTClient,
        missing: (VerifyTransport, String) throws -> Void
    ) async throws -> ServerFeatures {
        var transports: [VerifyTransport] = []
        for transport in wanted {
            let reader = readers.reader(transport, topic: topic, clientID: "verify-probe")
            switch try await reader.head() {
            case .position: transports.append(transport)
            case .none(let why): try missing(transport, why)
            }
        }
        // A server that supports POST refuses a request without a body.
        let post = try await client.send(.POST, "/topics/\(topic)/messages", body: "")
        return ServerFeatures(transports: transports, takesPosts: post.status == 400)
    }
}

/// Creates readers for a server, or for one of a cluster's nodes.
struct VerifyReaders {
    let settings: VerifySettings
    var queue: Int?

    func reader(_ transport: VerifyTransport, topic: String, clientID: String, node: Int = 0) -> any EventReader {
        let (credential, address) = (settings.credential, settings.nodes[node])
        switch transport {
        case .ws, .v1:
            return WebSocketReader(
                address: address.speaking(transport == .ws ? .base : .v1),
                credential: credential,
                topic: topic,
                clientID: clientID,
                queue: queue
            )
        case .sse:
            return SSEReader(
                address: address,
                credential: credential,
                topic: topic,
                clientID: clientID,
                queue: queue
            )
        case .poll:
            return PollReader(address: address, credential: credential, topic: topic)
        }
    }
}

/// Where a topic ends, or why that is unknown.
enum TopicHead: Equatable {
    case position(LogPosition)
    case none(String)
}

extension EventReader {
    /// Asks over this transport where the topic ends now.
    func head() async throws -> TopicHead {
        let plan = SessionPlan(
            pause: 0,
            life: 10,
            cutsMidBatch: false,
            cutsAtOnce: false,
            usesQuery: false,
            cutShare: 0,
            pace: nil
        )
        var head: TopicHead?
        do {
            try await read(after: nil, plan: plan) { arrivals in
                for arrival in arrivals where head == nil {
                    switch arrival {
                    case .started(let start): head = .position(start.position)
                    case .ended(let code): head = .none(code)
                    case .fault(let what): head = .none(what)
                    case .event, .dropped, .topicDeleted: break
                    }
                }
                return head == nil
            }
        } catch let error as ClientError {
            guard error.code == .refused || error.code == .protocolViolation else { throw error }
            return .none(error.message)
        }
        return head ?? .none("no answer within 10 s")
    }
}

#if NATS
import Foundation
package import NIOCore
import NIOFoundationCompat

/// Requests to JetStream's API, each answered by whoever leads what is asked about.
///
/// What comes back may be stale for as long as a leader does not know that it was cut off.
extension NATSConnection {
    /// How long a request waits for its answer unless it says otherwise.
    package static let apiTimeout = Duration.seconds(5)

    package func streamInfo(
        _ stream: String,
        timeout: Duration = apiTimeout
    ) async throws(JetStreamFailure) -> StreamInfo {
        try JetStreamAnswer.decode(StreamInfo.self, await request("$JS.API.STREAM.INFO.\(stream)", timeout: timeout))
    }

    /// Makes a stream; one that is there with the same settings is no error.
    func createStream(_ plan: StreamPlan, timeout: Duration = apiTimeout) async throws(JetStreamFailure) -> StreamInfo {
        let body = ByteBuffer(encoding: plan.config)
        return try JetStreamAnswer.decode(
            StreamInfo.self,
            await request("$JS.API.STREAM.CREATE.\(plan.name)", body: body, timeout: timeout)
        )
    }

    /// Which messages of a subject a purge removes.
    package enum Purge: Sendable, Equatable {
        /// Those before a sequence.
        case before(UInt64)
        /// All but so many of the newest.
        case allBut(UInt64)
    }

    /// Removes messages of one subject. Returns how many.
    package func purge(
        _ stream: String,
        subject: String,
        _ which: Purge,
        timeout: Duration = apiTimeout
    ) async throws(JetStreamFailure) -> UInt64 {
        var body: [String: Setting] = ["filter": .text(subject)]
        switch which {
        case .before(let sequence): body["seq"] = .number(Int64(clamping: sequence))
        case .allBut(let count): body["keep"] = .number(Int64(clamping: count))
        }
        let answer = await request(
            "$JS.API.STREAM.PURGE.\(stream)",
            body: ByteBuffer(encoding: body),
            timeout: timeout
        )
        return try JetStreamAnswer.decode(PurgeAnswer.self, answer).purged
    }

    private struct PurgeAnswer: Decodable {
        let purged: UInt64
    }

    /// The newest message of a subject, from any server that has the stream; `nil` if that one has none.
    ///
    /// Never decide anything by it: it may be old.
    package func lastMessage(
        _ stream: String,
        subject: String,
        timeout: Duration = apiTimeout
    ) async throws(JetStreamFailure) -> DirectMessage? {
        let answer = await request("$JS.API.DIRECT.GET.\(stream).\(subject)", timeout: timeout)
        let message = try JetStreamAnswer.message(of: answer)
        if let status = message[header: "Status"], let code = Int(status) {
            if code == 404 { return nil }
            throw .refused(JetStreamRefusal(code: code, reason: 0, text: message[header: "Description"] ?? ""))
        }
        guard let text = message[header: "Nats-Sequence"], let sequence = UInt64(text) else {
            throw .unreadable("a message without its sequence")
        }
        return DirectMessage(sequence: sequence, headers: message.headers, body: message.body)
    }

    package func accountInfo(timeout: Duration = apiTimeout) async throws(JetStreamFailure) -> AccountInfo {
        try JetStreamAnswer.decode(AccountInfo.self, await request("$JS.API.INFO", timeout: timeout))
    }

    /// What every server of the cluster says about itself, as far as this account may ask.
    ///
    /// An ordinary account gets versions only. It gets the configurations, too, where the system's account exports the
    /// service `$SYS.REQ.SERVER.PING.VARZ` to it.
    package func servers(timeout: Duration = .seconds(1)) async -> [ServerReport] {
        async let details = details(timeout: timeout)
        async let counts = request("$SYS.REQ.ACCOUNT.PING.STATZ", timeout: timeout, gathers: true)
        async let own = request("$SYS.REQ.USER.INFO", timeout: timeout)
        var reports: [String: ServerReport] = [:]
        for answer in await [own, counts, details] {
            for message in answer.messages {
                guard let report = try? JSONDecoder().decode(ServerReport.self, from: Data(buffer: message.body)) else {
                    continue
                }
                reports[report.server.id] = report
            }
        }
        return reports.values.sorted { $0.server.name < $1.server.name }
    }
}

extension NATSConnection {
    /// Asks again where somebody listens, but nobody has answered in time.
    fileprivate func details(timeout: Duration) async -> NATSAnswer {
        for _ in 0..<3 {
            let answer = await request("$SYS.REQ.SERVER.PING.VARZ", timeout: timeout, gathers: true)
            guard case .timedOut = answer else { return answer }
        }
        return .timedOut
    }
}

extension NATSAnswer {
    fileprivate var messages: [NATSMessage] {
        switch self {
        case .answered(let message): [message]
        case .gathered(let messages): messages
        case .noResponders, .timedOut, .disconnected, .tooLarge, .tooMany: []
        }
    }
}

/// A message as a server has it.
package struct DirectMessage: Sendable {
    package let sequence: UInt64
    package let headers: [NATSHeader]
    package let body: ByteBuffer
}

/// What JetStream tells about the account.
package struct AccountInfo: Sendable, Decodable {
    package struct API: Sendable, Decodable {
        /// 1 came with server 2.11; older ones say nothing.
        package let level: Int?
    }

    /// What the account may have; -1 is no limit.
    package struct Limits: Sendable, Decodable {
        package let storage: Int64?
        package let streams: Int64?
        package let consumers: Int64?
        /// Whether each stream has to have a limit of bytes.
        package let needsMaxBytes: Bool?

        enum CodingKeys: String, CodingKey {
            case storage = "max_storage"
            case streams = "max_streams"
            case consumers = "max_consumers"
            case needsMaxBytes = "max_bytes_required"
        }
    }

    /// What counts for streams with one number of copies.
    package struct Tier: Sendable, Decodable {
        package let storage: UInt64?
        package let streams: Int?
        package let consumers: Int?
        package let limits: Limits?
    }

    package let streams: Int
    package let storage: UInt64?
    package let consumers: Int?
    package let limits: Limits?
    /// By names such as `R3`; an account has limits either here or above.
    package let tiers: [String: Tier]?
    package let api: API?
}

/// What a server says about itself.
package struct ServerReport: Sendable, Decodable {
    package struct Server: Sendable, Decodable {
        package let name: String
        package let id: String
        package let version: String
        /// Whether it has JetStream; left out where it has not.
        package var hasJetStream: Bool?
        /// Its clock when it answered, by RFC 3339.
        package var time: String?

        enum CodingKeys: String, CodingKey {
            case name, id, time
            case version = "ver"
            case hasJetStream = "jetstream"
        }
    }

    struct Details: Decodable {
        struct JetStream: Decodable {
            struct Config: Decodable {
                let syncsAlways: Bool?

                enum CodingKeys: String, CodingKey { case syncsAlways = "sync_always" }
            }

            let config: Config?
        }

        let jetStream: JetStream?
        let maxPayload: Int?

        enum CodingKeys: String, CodingKey {
            case jetStream = "jetstream"
            case maxPayload = "max_payload"
        }
    }

    package let server: Server
    /// Whether JetStream is in this server and writes to the disk before it acknowledges; `nil` if that is unknown, or
    /// the server has no JetStream.
    package let syncsAlways: Bool?
    package let maxPayload: Int?

    enum CodingKeys: String, CodingKey { case server, data }

    init(server: Server, syncsAlways: Bool?, maxPayload: Int?) {
        self.server = server
        self.syncsAlways = syncsAlways
        self.maxPayload = maxPayload
    }

    package init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        server = try values.decode(Server.self, forKey: .server)
        let details = try? values.decode(Details.self, forKey: .data)
        maxPayload = details?.maxPayload
        // Only VARZ has a payload's limit. A server without JetStream has no configuration of it.
        syncsAlways = details?.maxPayload == nil ? nil : details?.jetStream?.config.map { $0.syncsAlways ?? false }
    }
}
#endif

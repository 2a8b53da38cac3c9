package import ApusClient
import ApusProtocol
import NIOCore
import NIOHTTP1

/// What a check works with: connections and topics, which are gone after it.
package struct Bench: Sendable {
    let server: ServerUnderTest
    let dialect: Dialect
    /// What the check has opened and created.
    let ledger = Ledger()
    /// How long cleaning up may take, in patience for an answer.
    private static let cleanUpLimit = 2

    var prefix: String { dialect == .v1 ? "/v1" : "" }
    var address: ServerAddress { server.address.speaking(dialect) }

    // MARK: Topics

    /// A name that nobody else has.
    func name(_ suffix: String = "") async -> String {
        let name = "\(server.prefix)-\(await ledger.number())\(suffix)"
        await ledger.add(topic: name)
        return name
    }

    /// A new topic.
    func topic(_ suffix: String = "") async throws -> String {
        let name = await name(suffix)
        try await create(name)
        return name
    }

    func create(_ name: String) async throws {
        await ledger.add(topic: name)
        let answer = try await post(#"{"name":\#(name.quoted)}"#)
        guard answer.status == 201 || answer.status == 200 else {
            throw Fault("creating a topic was answered \(answer.status): \(answer.body.shortened)")
        }
    }

    /// Asks for a topic. One that the server says it has made is deleted afterwards, even if it should not have.
    func post(_ body: String) async throws -> RESTResponse {
        let answer = try await send(.POST, "/topics", body: body)
        let name = answer.status == 201 ? JSONText(parsing: answer.body)?.members?["topic"]?.stringValue : nil
        if let name, !name.isEmpty { await ledger.add(topic: name) }
        return answer
    }

    func delete(_ name: String) async throws -> RESTResponse {
        try await send(.DELETE, "/topics/\(RESTClient.percentEncoded(name))")
    }

    // MARK: HTTP

    func send(
        _ method: HTTPMethod,
        _ path: String,
        body: String? = nil,
        headers: [(String, String)] = [],
        isSlow: Bool = false
    ) async throws -> RESTResponse {
        let limit = TimeAmount(server.patience) + .seconds(isSlow ? 10 : 0)
        let client = RESTClient(address: address, credential: server.credential, timeout: limit)
        do {
            return try await client.send(method, path, headers: headers, body: body)
        } catch {
            throw Fault("\(method.rawValue) \(prefix)\(path): \(error.message)")
        }
    }

    /// The members of a JSON answer with this status.
    func members(_ answer: RESTResponse, status: Int) throws -> [String: JSONText] {
        guard answer.status == status else {
            throw Fault("the status must be \(status), not \(answer.status): \(answer.body.shortened)")
        }
        guard JSONText(parsing: answer.body) != nil, let members = JSONText(unchecked: answer.body).members else {
            throw Fault("the answer is no JSON object: \(answer.body.shortened)")
        }
        return members
    }

    /// The answer must be a problem of RFC 9457 with this code.
    @discardableResult
    func expectProblem(_ answer: RESTResponse, _ status: Int, _ code: ErrorCode) throws -> [String: JSONText] {
        let members = try members(answer, status: status)
        let type = answer.headers.first(name: "content-type") ?? ""
        guard type.hasPrefix("application/problem+json") else {
            throw Fault("an error must be application/problem+json, not '\(type)'")
        }
        guard members["code"]?.stringValue == code.rawValue else {
            throw Fault("the code must be \(code.rawValue): \(answer.body.shortened)")
        }
        return members
    }

    // MARK: WebSocket

    func peer(
        in other: Dialect? = nil,
        headers: [(String, String)] = [],
        seesControlFrames: Bool = false,
        isSlow: Bool = false
    ) async throws -> Peer {
        do {
            let connection = try await connect(in: other ?? dialect, headers, seesControlFrames, isSlow)
            await ledger.add(connection)
            return Peer(connection: connection, dialect: other ?? dialect, patience: server.patience)
        } catch {
            throw Fault("no WebSocket at \(address.speaking(other ?? dialect).webSocketURL): \(error.message)")
        }
    }

    func connect(
        in dialect: Dialect,
        _ headers: [(String, String)] = [],
        _ seesControlFrames: Bool = false,
        _ isSlow: Bool = false
    ) async throws(ClientError) -> WebSocketConnection {
        var configuration = try await server.credential.configuration()
        configuration.connectTimeout = TimeAmount(server.patience)
        configuration.headers = headers
        configuration.deliversControlFrames = seesControlFrames
        configuration.maxMessageBytes = 32 << 20
        if isSlow {
            configuration.inboxMessages = 8
            configuration.receiveBufferBytes = 4096
        }
        return try await WebSocketConnection.connect(
            to: server.address.speaking(dialect),
            configuration: configuration
        )
    }

    // MARK: Messages

    /// A message as it is published, with an id that both dialects take.
    static func message(_ payload: String = "1") -> (id: String, text: String) {
        let id = uuid()
        return (id, #"{"id":"\#(id)","payload":\#(payload)}"#)
    }

    static func uuid() -> String {
        let digits = [UInt64.random(in: 0 ... .max), .random(in: 0 ... .max)].map { half in
            let text = String(half, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }.joined()
        var id = ""
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { id += "-" }
            id.append(digit)
        }
        return id
    }

    // MARK: The end

    /// Ends the connections, those too that are still to come: a check whose time is over waits for none of them.
    func giveUp() async { await Self.abort(await ledger.end()) }

    /// Closes and deletes what the check has made, also if the task is cancelled.
    func cleanUp() async {
        let (connections, topics) = await ledger.take()
        // A cancelled task sends no requests.
        await Task {
            await Self.abort(connections)
            try? await within(server.patience * Self.cleanUpLimit) {
                for topic in topics { _ = try? await delete(topic) }
            }
        }.value
    }

    private static func abort(_ connections: [WebSocketConnection]) async {
        await withDiscardingTaskGroup { group in
            for connection in connections { group.addTask { await connection.abort() } }
        }
    }
}

/// The server under test.
package struct ServerUnderTest: Sendable {
    package let address: ServerAddress
    package let credential: Credential
    /// How long an answer may take.
    package let patience: Duration
    /// What all topics of this run begin with.
    package let prefix: String

    package init(address: ServerAddress, credential: Credential, patience: Duration) {
        self.address = address
        self.credential = credential
        self.patience = patience
        prefix = "apus-conformance-\(String(UInt32.random(in: 0 ... .max), radix: 16))"
    }
}

/// What a check has opened and created.
actor Ledger {
    /// Tells the topics of one check from those of another.
    private let key = String(UInt32.random(in: 0 ... .max), radix: 16)
    private var connections: [WebSocketConnection] = []
    private var topics: [String] = []
    private var count = 0
    private var isOver = false

    func number() -> String {
        count += 1
        return "\(key)-\(count)"
    }

    func add(_ connection: WebSocketConnection) async {
        connections.append(connection)
        if isOver { await connection.abort() }
    }

    /// The connections until now. Those that are added later are ended at once.
    func end() -> [WebSocketConnection] {
        isOver = true
        return connections
    }

    func add(topic: String) {
        if !topics.contains(topic) { topics.append(topic) }
    }

    /// Topics whose names Swift takes for the same.
    func add(bytes names: [String]) { topics += names }

    func take() -> ([WebSocketConnection], [String]) {
        defer { (connections, topics) = ([], []) }
        return (connections, topics)
    }
}

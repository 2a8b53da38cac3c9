import ApusClient
import ApusProtocol
import NIOConcurrencyHelpers
import NIOCore

/// A server that goes through a script with the client which connects, and checks what that does.
package struct ClientScript: Sendable {
    static let maxMessage = 1 << 20
    /// How many connections a client may have, and how many frames of them may wait for the script.
    static let maxConnections = 100
    static let maxFrames = 10_000

    static let topic = "conformance"
    static let epoch = "conformance1"

    /// What the client under test must be told to do.
    package static let task = """
        Connect, subscribe to the topic 'conformance' with positions, and recover by yourself. Publish a message to \
        'conformance' every 100 ms or so, each with another id. When an event's payload is {"done":true}, unsubscribe, \
        and stay connected.
        """

    let listener: ClientListener
    let patience: TimeAmount
    let wait: TimeAmount

    /// - Parameters:
    ///   - patience: how long the client may take for an answer or to come back.
    ///   - wait: how long it may take for its first connection.
    package static func listen(host: String, port: Int, patience: Duration, wait: Duration) async throws -> ClientScript
    {
        let listener = try await ClientListener.listen(host: host, port: port)
        return ClientScript(listener: listener, patience: TimeAmount(patience), wait: TimeAmount(wait))
    }

    package var port: Int { listener.port }

    /// Goes through the script. What cannot be checked since something before failed is skipped.
    package func run() async -> [ConformanceResult] {
        var run = ClientRun(self)
        do {
            try await run.firstConnection()
            try await run.refusals()
            try await run.resumption()
            try await run.shutdown()
            try await run.end()
        } catch let fault as Fault {
            run.book.stopped = fault.what
        } catch {
            run.book.stopped = "\(error)"
        }
        try? await listener.channel.close()
        return run.book.results
    }
}

/// What each check of clients expects, in the order of the script.
package enum ClientCheck: String, CaseIterable, Sendable {
    case handshake = "client.handshake"
    case commands = "client.commands"
    case subscribes = "client.subscribes"
    case publishes = "client.publishes"
    case answersPing = "client.answers-ping"
    case ignoresUnknown = "client.ignores-unknown"
    case backsOff = "client.backs-off"
    case resumes = "client.resumes"
    case subscribesOnce = "client.subscribes-once"
    case repeatsUnanswered = "client.repeats-unanswered"
    case publishesOnce = "client.publishes-once"
    case heedsShutdown = "client.heeds-shutdown"
    case answersClose = "client.answers-close"
    case resumesAgain = "client.resumes-again"
    case unsubscribes = "client.unsubscribes"
    case staysAway = "client.stays-away"

    package var expects: String {
        switch self {
        case .handshake: "The client makes a WebSocket handshake for /ws or /v1/ws."
        case .commands: "Every message is a masked JSON object of a known type with the members that it must have."
        case .subscribes: "It subscribes to the topic with positions."
        case .publishes: "It publishes messages whose ids are all different."
        case .answersPing: "It answers a ping frame with a pong frame of the same bytes."
        case .ignoresUnknown: "It ignores messages, kinds of info and members that it does not know."
        case .backsOff: "After handshakes that are answered 503 it comes back, with growing pauses."
        case .resumes: "After a cut connection it resumes with the position of the last event."
        case .subscribesOnce: "It subscribes once on each connection."
        case .repeatsUnanswered: "What was published and not acknowledged is published again, with the same id."
        case .publishesOnce: "What was acknowledged is not published again."
        case .heedsShutdown: "After `shutdown` and 1001 it comes back, not before `reconnect_after_ms`."
        case .answersClose: "It answers a close frame with one of the same code."
        case .resumesAgain: "It resumes after a 1001, too."
        case .unsubscribes: "It unsubscribes with the names that it subscribed with."
        case .staysAway: "After 1008 REVOKED it does not come back."
        }
    }

    var section: String {
        switch self {
        case .handshake, .commands, .subscribes, .publishes, .unsubscribes: "contract 2"
        case .answersPing: "contract 6"
        case .ignoresUnknown: "contract 3"
        case .resumes, .resumesAgain, .subscribesOnce: "extension 1"
        case .repeatsUnanswered, .publishesOnce: "extension 3"
        case .backsOff, .heedsShutdown, .answersClose, .staysAway: "extension 7"
        }
    }
}

/// What the script has found so far.
struct ClientBook: Sendable {
    private var outcomes: [ClientCheck: ConformanceResult.Outcome] = [:]
    private let start = ContinuousClock.now
    private var times: [ClientCheck: Duration] = [:]
    /// Why the script did not come to its end.
    var stopped: String?

    /// A check that failed stays so.
    mutating func note(_ check: ClientCheck, _ outcome: ConformanceResult.Outcome, unlessKnown: Bool = false) {
        if case .failed = outcomes[check] { return }
        if unlessKnown, outcomes[check] != nil { return }
        outcomes[check] = outcome
        times[check] = ContinuousClock.now - start
    }

    mutating func check(_ check: ClientCheck, _ isSo: Bool, _ otherwise: @autoclosure () -> String) {
        note(check, isSo ? .passed : .failed(otherwise()))
    }

    var results: [ConformanceResult] {
        ClientCheck.allCases.map { check in
            ConformanceResult(
                name: check.rawValue,
                group: "Clients",
                section: check.section,
                expects: check.expects,
                outcome: outcomes[check] ?? .skipped("not reached: \(stopped ?? "the script ended before")"),
                duration: times[check] ?? .zero
            )
        }
    }
}

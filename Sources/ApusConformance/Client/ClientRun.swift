import ApusClient
import ApusProtocol
import NIOConcurrencyHelpers
import NIOCore

/// The script, step by step.
struct ClientRun {
    /// How many handshakes are refused, and how long a client takes at least for so many tries: a client that waits
    /// for a random time, up to 500 ms, 1 s, 2 s and 4 s, is faster once in 200,000 runs.
    private static let (refusals, shortestPause) = (4, Int64(150))

    var book = ClientBook()
    private let script: ClientScript
    private var client: ClientGroup?
    /// Where the last command came from, and the last subscription.
    private var source: ClientConnection?
    private var subscriber: ClientConnection?
    /// The last offset that the client was sent.
    private var offset = 0
    private var acked: Set<String> = []
    private var unanswered: Set<String> = []
    private var clientID = ""
    /// For a client that sends and sends, and never what it must.
    private static let longest: Int64 = 10
    private let end: NIODeadline

    init(_ script: ClientScript) {
        self.script = script
        end = .now() + script.wait + script.patience * Self.longest
    }

    // MARK: Steps

    /// Subscribe, events, a ping, something unknown; publishes are acknowledged, the last ones not; then TCP ends.
    mutating func firstConnection() async throws {
        guard let client = await script.listener.client(within: script.wait) else {
            book.note(.handshake, .failed("no client came"))
            throw Fault("no client came")
        }
        self.client = client
        book.note(.handshake, .passed)
        book.note(.commands, .passed)
        let subscribe = try await subscription(.subscribes)
        clientID = subscribe["client_id"] ?? ""
        book.check(
            .subscribes,
            subscribe["positions"] == "true" || subscribe["since"] != nil,
            "the subscription has neither 'positions' nor 'since': \(subscribe.text.shortened)"
        )
        source?.ack(subscribe, #","epoch":"\#(ClientScript.epoch)","offset":0"#)
        event("1")
        subscriber?.ping("apus")
        subscriber?.send(#""type":"info","msg":"a_kind_of_later","some":{"member":[1]}"#)
        subscriber?.send(#""type":"a-type-of-later","topic":"conformance""#)
        event("2", #","a_member_of_later":true"#)
        do {
            try await publishes(3)
        } catch {
            book.note(.ignoresUnknown, .failed("the client stopped after it was sent what it does not know"))
            throw error
        }
        book.note(.publishes, .passed)
        event("3")
        try await takeUnanswered()
        script.listener.gate.withLockedValue { $0.refusals = Self.refusals }
        client.cut()
    }

    /// Some handshakes are refused. The client cannot be expected to see their `Retry-After`: no browser shows it.
    mutating func refusals() async throws {
        guard let next = await script.listener.client(within: script.patience * 3) else {
            book.note(.backsOff, .failed("the client did not come back after its connection was cut"))
            throw Fault("the client did not come back")
        }
        client = next
        let refused = script.listener.gate.withLockedValue { $0.refused }
        guard let first = refused.first else { throw Fault("no handshake was refused") }
        let pause = (next.came - first).nanoseconds / 1_000_000
        book.check(
            .backsOff,
            pause >= Self.shortestPause,
            "it came \(refused.count) more times within \(pause) ms after a first handshake was refused"
        )
    }

    /// The client resumes, and repeats what was not acknowledged. Then the server shuts down.
    mutating func resumption() async throws {
        try await resume(.resumes)
        try await publishes(until: unanswered)
        book.note(.repeatsUnanswered, .passed)
        try await publishes(2)
        book.note(.publishesOnce, .passed)
        event("4")
        event("5")
        client?.send(#""type":"info","msg":"shutdown","reconnect_after_ms":700"#)
        try await close(1001, "SHUTDOWN")
    }

    mutating func shutdown() async throws {
        let closed = NIODeadline.now()
        guard let next = await script.listener.client(within: script.patience) else {
            book.note(.heedsShutdown, .failed("the client did not come back"))
            throw Fault("the client did not come back after the shutdown")
        }
        client = next
        let pause = (next.came - closed).nanoseconds / 1_000_000
        book.check(.heedsShutdown, pause >= 600, "it came back after \(pause) ms, not 700")
        try await resume(.resumesAgain)
        // What it publishes may come on another connection, and later.
        try await publishes(1)
    }

    /// The client is told that it is done, and then that it is not welcome.
    mutating func end() async throws {
        event(#"{"done":true}"#)
        while true {
            let command = try await command(.unsubscribes)
            if command.type == "publish" {
                acknowledge(command)
            } else if command.type == "unsubscribe" {
                book.check(
                    .unsubscribes,
                    command["topic"] == ClientScript.topic.quoted && command["client_id"] == clientID,
                    "it unsubscribed something else: \(command.text.shortened)"
                )
                source?.ack(command)
                break
            }
        }
        try await close(1008, "REVOKED", mayLeave: subscriber)
        let again = await script.listener.client(within: .milliseconds(1500))
        book.check(.staysAway, again == nil, "it came back")
        again?.cut()
    }

    // MARK: Parts

    private mutating func event(_ payload: String, _ more: String = "") {
        offset += 1
        let message = #"{"id":"\#(Bench.uuid())","payload":\#(payload)}"#
        subscriber?.send(
            #""type":"event","topic":"\#(ClientScript.topic)","message":\#(message),"offset":\#(offset)\#(more)"#
        )
    }

    /// The next command. Pongs and closes that come before are looked at.
    private mutating func command(_ check: ClientCheck) async throws -> Reply {
        while let client, let arrival = await script.listener.next(of: client, within: script.patience) {
            guard NIODeadline.now() < end else {
                book.note(check, .failed("it did not come within \(Self.longest) times the patience for an answer"))
                throw Fault("the time for the whole script is over")
            }
            source = arrival.connection
            switch arrival.frame {
            case .command(let command):
                try examine(command)
                if command.type == "ping" { pong(command) } else { return command }
            case .pong(let bytes):
                book.check(.answersPing, bytes == ByteBuffer(string: "apus"), "the pong has other bytes")
            case .close(let code):
                book.note(check, .failed("the client closed the connection with \(code.map(String.init) ?? "no code")"))
                throw Fault("the client closed the connection")
            case .violation(let what):
                book.note(.commands, .failed(what))
                throw Fault(what)
            }
        }
        book.note(check, .failed("no such command came"))
        throw Fault("the client sent nothing")
    }

    private func pong(_ command: Reply) {
        source?.send(#""type":"pong""# + (command["request_id"].map { #","request_id":\#($0)"# } ?? ""))
    }

    private mutating func examine(_ command: Reply) throws {
        let needed: [String: [String]] = [
            "subscribe": ["topic", "client_id"], "unsubscribe": ["topic", "client_id"], "publish": ["topic"],
            "ping": [], "auth": [],
        ]
        guard let members = needed[command.type] else {
            book.note(.commands, .failed("an unknown command: \(command.text.shortened)"))
            throw Fault("an unknown command")
        }
        for name in members where command.members[name]?.stringValue?.isEmpty != false {
            book.note(.commands, .failed("'\(name)' is missing in \(command.text.shortened)"))
        }
        if command.type == "publish", command.messageIDs.isEmpty {
            book.note(.commands, .failed("a publish without a message's id: \(command.text.shortened)"))
            throw Fault("a publish without an id")
        }
    }

    /// The subscribe that comes first. Publishes may come before it.
    private mutating func subscription(_ check: ClientCheck) async throws -> Reply {
        while true {
            let command = try await command(check)
            if command.type == "publish" { acknowledge(command) }
            if command.type == "subscribe", command["topic"] == ClientScript.topic.quoted {
                subscriber = source
                return command
            }
        }
    }

    private mutating func resume(_ check: ClientCheck) async throws {
        let subscribe = try await subscription(check)
        let since = subscribe.members["since"]?.members ?? [:]
        book.check(
            check,
            since["epoch"]?.stringValue == ClientScript.epoch && since["offset"]?.integerValue == offset,
            "'since' must be offset \(offset) of epoch \(ClientScript.epoch): \(subscribe.text.shortened)"
        )
        source?.ack(subscribe, #","epoch":"\#(ClientScript.epoch)","offset":\#(offset),"recovered":true"#)
        // The client has read what it does not know, or it would not have come to the last event.
        book.check(.ignoresUnknown, since["offset"]?.integerValue == offset, "it did not handle the event after those")
        book.note(.answersPing, .failed("no pong came"), unlessKnown: true)
    }

    private mutating func acknowledge(_ command: Reply) {
        for id in command.messageIDs {
            if acked.contains(id) {
                book.note(.publishesOnce, .failed("the acknowledged message '\(id)' was published again"))
            }
            acked.insert(id)
            unanswered.remove(id)
        }
        let count = command.members["messages"]?.elements.map { #","count":\#($0.count)"# } ?? ""
        source?.ack(command, command["outcome"] == "true" ? count + outcome : count)
    }

    private var outcome: String {
        let place = #","epoch":"\#(ClientScript.epoch)","offset":\#(max(offset, 1))"#
        return place + #","subscribers":1,"stored":"memory","duplicate":false"#
    }

    /// Acknowledges so many publishes.
    private mutating func publishes(_ count: Int) async throws {
        var left = count
        while left > 0 {
            let command = try await command(.publishes)
            if command.type == "subscribe" {
                book.note(.subscribesOnce, .failed("a second subscribe: \(command.text.shortened)"))
                source?.ack(command)
            }
            guard command.type == "publish" else { continue }
            acknowledge(command)
            left -= 1
        }
        book.note(.subscribesOnce, .passed)
    }

    /// Acknowledges publishes until all of these have come.
    private mutating func publishes(until ids: Set<String>) async throws {
        let limit = NIODeadline.now() + script.patience
        while !unanswered.isEmpty {
            guard NIODeadline.now() < limit else {
                book.note(.repeatsUnanswered, .failed("\(unanswered.count) of \(ids.count) did not come again"))
                throw Fault("the client did not publish again what was not acknowledged")
            }
            let command = try await command(.repeatsUnanswered)
            if command.type == "publish" { acknowledge(command) }
        }
    }

    /// Takes a publish, and whatever comes just after it, without an answer.
    private mutating func takeUnanswered() async throws {
        while unanswered.isEmpty {
            let command = try await command(.publishes)
            if command.type == "publish" { unanswered.formUnion(command.messageIDs) }
        }
    }

    /// Closes all connections. The client must answer on each, whatever else it still sends.
    ///
    /// - Parameter mayLeave: one that the client may close itself, if it has another one.
    private mutating func close(_ code: UInt16, _ reason: String, mayLeave: ClientConnection? = nil) async throws {
        guard let client else { return }
        var open = client.end()
        for connection in open { connection.close(code, reason) }
        let limit = min(.now() + script.patience, end)
        while limit > .now(), let arrival = await script.listener.next(of: client, within: limit - .now()) {
            switch arrival.frame {
            case .close(let given):
                let isAnswer = given == code
                let hasLeft = arrival.connection == mayLeave && open.contains { $0 != mayLeave }
                let told = given.map(String.init) ?? "no code"
                book.check(.answersClose, isAnswer || hasLeft, "it answered \(told), not \(code)")
                arrival.connection.cut()
                open.removeAll { $0 == arrival.connection }
                if open.isEmpty { return }
            // Sent before the client saw the close frame: not answered.
            case .command(let command) where command.type == "publish": unanswered.formUnion(command.messageIDs)
            default: continue
            }
        }
        book.note(.answersClose, .failed("it did not answer the close frame"))
        client.cut()
    }
}

#if NATS
import ApusProtocol
import DequeModule
import NIOCore
import Synchronization

/// Reads a stream once, in order, from a sequence on.
///
/// A push consumer that lives as long as its connection. It is never mended: whatever is wrong ends the reader, and the
/// caller makes another one that starts behind what it has. So what comes is always in order and without a gap, and
/// holes in the sequences are messages that the stream does not have any more.
///
/// Events wait until they are taken. The server sends on only when what it sent before was taken (flow control), so 32
/// MiB can wait for somebody who stands still. Beyond ``NATSSettings/Limit/pendingBytes`` or
/// ``NATSSettings/Limit/pendingEvents`` the reader ends with `overflow`.
package final class StreamReader: Sendable {
    package enum Event: Sendable {
        /// The consumer is there; `pending` messages of the stream come now.
        case started(pending: UInt64)
        case message(StreamMessage)
        /// Nothing new for a second. The consumer has sent so many messages, all of which have come.
        case heartbeat(delivered: UInt64)
        /// Nothing comes after this.
        case ended(End)
    }

    package enum End: Sendable, Equatable {
        case stopped
        case disconnected
        /// Neither a message nor a heartbeat for three seconds.
        case silent
        /// Something was sent that has not come.
        case gap
        /// Too much waits to be taken.
        case overflow
        /// The stream ends before the sequence that was asked for: the server is behind, or has lost something.
        case beyondEnd(last: UInt64)
        case failed(JetStreamFailure)
    }

    /// How long nothing may come before the reader ends.
    package static let silence = Duration.seconds(3)

    private enum Entry {
        case event(Event, bytes: Int)
        /// Everything before it was taken: the server may send on.
        case flowControl(String)
    }

    private struct State {
        var progress: ReaderProgress
        var entries = Deque<Entry>()
        var pendingEvents = 0
        var pendingBytes = 0
        /// The newest question of flow control. A heartbeat repeats it while it was not answered.
        var asked = ""
        var isOver = false
        /// Whether the owner looks only when it is woken.
        var isAsleep = true
        var heard: UInt64
    }

    let id: UInt64
    package let stream: String
    /// The first sequence that was asked for.
    package let start: UInt64
    private let connection: NATSConnection
    private let mostBytes: Int
    private let state: Mutex<State>
    private let wake: @Sendable () -> Void

    init(
        _ id: UInt64,
        of connection: NATSConnection,
        stream: String,
        from start: UInt64,
        mostBytes: Int,
        wake: @escaping @Sendable () -> Void
    ) {
        self.id = id
        self.mostBytes = mostBytes
        self.connection = connection
        self.stream = stream
        self.start = start
        self.wake = wake
        state = Mutex(State(progress: ReaderProgress(from: start), heard: NATSConnection.now))
    }

    /// Takes what has come, in order. Once this returns nothing, the owner is woken for the next event.
    package func take(atMost count: Int) -> [Event] {
        var answers: [String] = []
        let events = state.withLock { state in
            var events: [Event] = []
            while events.count < count, let entry = state.entries.popFirst() {
                switch entry {
                case .flowControl(let subject): answers.append(subject)
                case .event(let event, let bytes):
                    state.pendingEvents -= 1
                    state.pendingBytes -= bytes
                    events.append(event)
                }
            }
            state.isAsleep = events.isEmpty
            return events
        }
        for subject in answers { connection.send(to: subject) }
        return events
    }

    /// Ends the reader. What has come stays to be taken.
    package func stop() { end(.stopped) }

    /// The newest message that has come, taken or not.
    package var last: UInt64 { state.withLock { $0.progress.last } }
}

// MARK: What comes from the server

extension StreamReader {
    var deliverySubject: String { "\(connection.inbox).reader.\(id)" }

    var receiver: LinkReceiver {
        LinkReceiver { [weak self] message in self?.receive(message) }
    }

    private func receive(_ message: borrowing OwnedMessage) {
        // A status has no acknowledgement's subject; a message always does.
        guard let reply = message.reply, let delivery = DeliverySubject(reply) else {
            if message.header("Status") == "100" { receiveStatus(message) }
            return
        }
        let copy = message.copied()
        let headers = NATSHeader.size(of: copy.headers)
        let event = Event.message(StreamMessage(copy, delivery))
        // The room that an event takes in the queue, roughly.
        add(event, bytes: headers + copy.body.readableBytes + 128) { $0.take(delivery) }
    }

    private func receiveStatus(_ message: borrowing OwnedMessage) {
        if let subject = message.reply {
            return addFlowControl(subject)
        }
        guard let delivered = message.header("Nats-Last-Consumer").flatMap({ UInt64($0) }) else { return }
        // The question that was not answered, because what came before was not taken, or because it got lost.
        if let stalled = message.header("Nats-Consumer-Stalled") { repeatFlowControl(stalled) }
        add(.heartbeat(delivered: delivered), bytes: 0) { $0.isComplete(delivered: delivered) }
    }

    private func add(_ event: Event, bytes: Int, isNext: (inout ReaderProgress) -> Bool) {
        let (fault, wakes): (End?, Bool) = state.withLock { state in
            guard !state.isOver else { return (nil, false) }
            state.heard = NATSConnection.now
            let hasRoom = state.pendingEvents < NATSSettings.Limit.pendingEvents
            guard hasRoom, state.pendingBytes + bytes <= mostBytes else { return (.overflow, false) }
            guard isNext(&state.progress) else { return (.gap, false) }
            state.entries.append(.event(event, bytes: bytes))
            state.pendingEvents += 1
            state.pendingBytes += bytes
            defer { state.isAsleep = false }
            return (nil, state.isAsleep)
        }
        if let fault { end(fault) }
        if wakes { wake() }
    }

    private func addFlowControl(_ subject: String) {
        let wakes = state.withLock { state in
            guard !state.isOver else { return false }
            state.heard = NATSConnection.now
            state.asked = subject
            state.entries.append(.flowControl(subject))
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        if wakes { wake() }
    }

    /// Answers a question again if it was answered, and notes it if it never came.
    private func repeatFlowControl(_ subject: String) {
        let (isKnown, isWaiting) = state.withLock { state in
            let isWaiting = state.entries.contains {
                if case .flowControl = $0 { true } else { false }
            }
            return (state.asked == subject, isWaiting)
        }
        if !isKnown { addFlowControl(subject) } else if !isWaiting { connection.send(to: subject) }
    }

    func checkSilence(now: UInt64) {
        let isSilent = state.withLock { state in
            !state.isOver && now > state.heard && now - state.heard > UInt64(Self.silence.wholeMilliseconds) * 1_000_000
        }
        if isSilent { end(.silent) }
    }

    /// Ends the reader, if nothing has before.
    func end(_ end: End) {
        let wakes: Bool? = state.withLock { state in
            guard !state.isOver else { return nil }
            state.isOver = true
            state.entries.append(.event(.ended(end), bytes: 0))
            state.pendingEvents += 1
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        guard let wakes else { return }
        connection.forget(self)
        if wakes { wake() }
    }
}

// MARK: Beginning

extension StreamReader {
    private static let patience = Duration.seconds(2)

    /// The subscription is there; now the consumer.
    func subscribed() {
        connection.request("$JS.API.STREAM.INFO.\(stream)", timeout: Self.patience) { [self] answer in
            do throws(JetStreamFailure) {
                let info = try JetStreamAnswer.decode(StreamInfo.self, answer)
                // The server would take it, and deliver late or never.
                guard start <= info.state.lastSequence + 1 else {
                    return end(.beyondEnd(last: info.state.lastSequence))
                }
                createConsumer()
            } catch {
                end(.failed(error))
            }
        }
    }

    private func createConsumer() {
        let name = "apus-\(RandomName.make())"
        let consumer = ConsumerRequest(stream: stream, name: name, deliverySubject: deliverySubject, start: start)
        let subject = "$JS.API.CONSUMER.CREATE.\(stream).\(name)"
        connection.request(subject, body: consumer.json, timeout: Self.patience) { [self] answer in
            do throws(JetStreamFailure) {
                let info = try JetStreamAnswer.decode(ConsumerInfo.self, answer)
                add(.started(pending: info.pending + info.delivered.consumerSequence), bytes: 0) { _ in true }
            } catch {
                end(.failed(error))
            }
        }
    }
}

extension NATSConnection {
    /// Reads a stream from a sequence on.
    ///
    /// - Parameters:
    ///   - mostBytes: how much may wait to be taken.
    ///   - wake: is called on any thread, when there is something to take again.
    package func read(
        _ stream: String,
        from start: UInt64,
        mostBytes: Int = NATSSettings.Limit.pendingBytes,
        wake: @escaping @Sendable () -> Void
    ) -> StreamReader {
        let (reader, isThere) = state.withLock { state in
            state.lastReader += 1
            let reader = StreamReader(
                state.lastReader,
                of: self,
                stream: stream,
                from: start,
                mostBytes: mostBytes,
                wake: wake
            )
            guard let server = state.server, !state.isOver else { return (reader, false) }
            state.readers[reader.id] = reader
            state.work.append(.open(reader, generation: server.generation))
            return (reader, true)
        }
        if isThere { wakeSender() } else { reader.end(.disconnected) }
        return reader
    }

    /// A reader has ended.
    func forget(_ reader: StreamReader) {
        let wasThere = state.withLock { $0.readers.removeValue(forKey: reader.id) != nil }
        if wasThere { add(.stop(reader: reader.id)) }
    }
}

#endif

package import ApusCluster
import NIOConcurrencyHelpers
import NIOCore

/// A JetStream in memory, for several nodes in one process: it orders, compares and hands out, without faults of its
/// own. What servers can do wrong, the simulation of ApusCluster tries.
package final class LoopbackJetStream: Sendable {
    fileprivate struct Message {
        let sequence: UInt64
        let subject: String
        let id: String
        let header: String
        let headerName: String
        let body: ByteBuffer
    }

    fileprivate struct Consumer {
        let link: Link
        let request: ConsumeRequest
        var next: UInt64
        var deliveries: UInt64 = 0
    }

    fileprivate struct State {
        var streams: [ClusterStream: [Message]] = [:]
        var last: [ClusterStream: UInt64] = [:]
        var consumers: [Consumer] = []
        var isDown = false
        var listeners: [(link: Link, subject: String, receive: @Sendable (ByteBuffer) -> Void)] = []
        var alarms: UInt64 = 0
        var readCount = 0
    }

    private let state = NIOLockedValueBox(State())

    package init() {}

    /// Whether nothing is answered or delivered. What is published meanwhile is lost.
    package var isDown: Bool {
        get { state.withLockedValue { $0.isDown } }
        set {
            state.withLockedValue { $0.isDown = newValue }
            if !newValue { deliver() }
        }
    }

    /// The messages of all streams of topics, without barriers.
    package var packCount: Int {
        state.withLockedValue { state in
            state.streams.filter { !$0.key.isRegistry }.values.joined().count { $0.headerName == PackHeader.name }
        }
    }

    /// How often something was read back.
    package var readCount: Int { state.withLockedValue { $0.readCount } }

    /// Somebody else writes a topic's settings in the registry.
    package func overwriteSettings(ofTopic name: String, with settings: String) {
        state.withLockedValue { state in
            guard let subject = ClusterNames()?.registrySubject(ofTopic: name),
                let old = state.streams[.registry]?.last(where: { $0.subject == subject }),
                let entry = TopicEntry(old.header, settings: settings)
            else { return }
            let request = PublishRequest(
                number: 0,
                stream: .registry,
                subject: subject,
                id: PackID(node: 0, number: old.sequence),
                expected: .anything,
                header: PublishRequest.Header(entry),
                body: ByteBuffer(string: settings),
                timeout: 0
            )
            _ = state.publish(request)
        }
        deliver()
    }

    /// A stranger says that a stream has lost messages, so that all nodes read it again.
    package func alarm(_ stream: ClusterStream) {
        state.withLockedValue { state in
            guard let subject = ClusterNames()?.barrierSubject(of: stream) else { return }
            state.alarms += 1
            let request = PublishRequest(
                number: 0,
                stream: stream,
                subject: subject,
                id: PackID(node: 1, number: state.alarms),
                expected: .anything,
                header: PublishRequest.Header(BarrierHeader([], alarm: state.alarms)),
                body: ByteBuffer(),
                timeout: 0
            )
            _ = state.publish(request)
        }
        deliver()
    }

    /// Removes the oldest packs of a topic, as a stream that keeps only so many of one subject.
    package func trim(_ subject: String, in stream: ClusterStream, to count: Int) {
        state.withLockedValue { state in
            let own = (state.streams[stream] ?? []).filter { $0.subject == subject }
            let gone = Set(own.dropLast(count).map(\.sequence))
            state.streams[stream]?.removeAll { gone.contains($0.sequence) }
        }
    }

    private func read(_ request: PackRead, _ answer: @escaping @Sendable (PackReadAnswer) -> Void) {
        let found = state.withLockedValue { state -> PackReadAnswer in
            guard !state.isDown else { return .unavailable("down") }
            state.readCount += 1
            var (packs, bytes): ([StoredPack], Int) = ([], 0)
            for message in state.streams[request.stream] ?? []
            where message.sequence >= request.from && message.subject == request.subject {
                bytes += message.body.readableBytes
                guard packs.isEmpty || packs.count < request.count && bytes <= request.bytes else { break }
                packs.append(StoredPack(sequence: message.sequence, header: message.header, body: message.body))
            }
            return packs.isEmpty ? .nothing : .packs(packs)
        }
        answer(found)
    }

    /// A node's connection.
    package func connect() -> any JetStreamLink & PeerLink { Link(self) }

    fileprivate final class Link: JetStreamLink, PeerLink {
        private typealias Receiver = @Sendable (JetStreamEvent) -> Void

        let jetStream: LoopbackJetStream
        private let receiver = NIOLockedValueBox<Receiver?>(nil)

        init(_ jetStream: LoopbackJetStream) { self.jetStream = jetStream }

        func start(tell: @escaping @Sendable (JetStreamEvent) -> Void, wake: @escaping @Sendable () -> Void) {
            receiver.withLockedValue { $0 = tell }
            tell(.connected)
        }

        func receive(_ event: JetStreamEvent) { receiver.withLockedValue { $0 }?(event) }

        func perform(_ actions: [JetStreamAction]) {
            for action in actions { jetStream.perform(action, of: self) }
            jetStream.deliver()
        }

        /// What comes is told at once.
        func take(atMost count: Int) -> [JetStreamEvent] { [] }

        func read(_ request: PackRead, answer: @escaping @Sendable (PackReadAnswer) -> Void) {
            jetStream.read(request, answer)
        }

        func close() {
            jetStream.state.withLockedValue { state in
                state.consumers.removeAll { $0.link === self }
                state.listeners.removeAll { $0.link === self }
            }
        }
    }

    private func perform(_ action: JetStreamAction, of link: Link) {
        switch action {
        case .publish(let request):
            let answer = state.withLockedValue { $0.isDown ? nil : $0.publish(request) }
            link.receive(.answered(request.number, answer ?? .unavailable("down")))
        case .consume(let request):
            state.withLockedValue { state in
                state.consumers.removeAll { $0.link === link && $0.request.stream == request.stream }
                state.consumers.append(Consumer(link: link, request: request, next: request.from))
            }
        case .purge(let stream, let subject, let end):
            state.withLockedValue { $0.streams[stream]?.removeAll { $0.subject == subject && $0.sequence < end } }
        case .changeServer:
            link.receive(.disconnected)
            link.receive(.connected)
        }
    }

    private func deliver() {
        let events = state.withLockedValue { $0.isDown ? [] : $0.takeDeliveries() }
        for (link, delivery) in events { link.receive(.delivered(delivery)) }
    }
}

extension LoopbackJetStream.State {
    fileprivate mutating func publish(_ request: PublishRequest) -> PublishAnswer {
        let messages = streams[request.stream] ?? []
        if let copy = messages.last(where: { $0.id == request.id.description }) {
            return .acked(sequence: copy.sequence, isDuplicate: true)
        }
        let newest = messages.last { $0.subject == request.subject }?.sequence ?? 0
        switch request.expected {
        case .anything: break
        case .noMessage where newest == 0: break
        case .last(let sequence) where newest == sequence: break
        default: return .wrongLastSequence(newest)
        }
        let sequence = (last[request.stream] ?? 0) + 1
        last[request.stream] = sequence
        let message = LoopbackJetStream.Message(
            sequence: sequence,
            subject: request.subject,
            id: request.id.description,
            header: request.header.value,
            headerName: request.header.name,
            body: request.body
        )
        streams[request.stream, default: []].append(message)
        if request.stream.isRegistry {
            streams[request.stream]?.removeAll { $0.subject == request.subject && $0.sequence < sequence }
        }
        return .acked(sequence: sequence, isDuplicate: false)
    }

    fileprivate mutating func takeDeliveries() -> [(LoopbackJetStream.Link, Delivery)] {
        var deliveries: [(LoopbackJetStream.Link, Delivery)] = []
        for index in consumers.indices {
            let stream = consumers[index].request.stream
            for message in streams[stream] ?? [] where message.sequence >= consumers[index].next {
                consumers[index].deliveries += 1
                consumers[index].next = message.sequence + 1
                let delivery = Delivery(
                    stream: stream,
                    consumer: consumers[index].request.number,
                    number: consumers[index].deliveries,
                    sequence: message.sequence,
                    subject: message.subject,
                    id: message.id,
                    header: message.header,
                    body: message.body
                )
                deliveries.append((consumers[index].link, delivery))
            }
        }
        return deliveries
    }
}

// MARK: Peers

extension LoopbackJetStream.Link {
    var server: String? { jetStream.state.withLockedValue { $0.isDown ? nil : "loopback" } }

    func listen(to subject: String, _ receive: @escaping @Sendable (ByteBuffer) -> Void) {
        jetStream.state.withLockedValue { $0.listeners.append((self, subject, receive)) }
    }

    func send(_ body: ByteBuffer, to subject: String) {
        let receivers = jetStream.state.withLockedValue { state in
            state.isDown ? [] : state.listeners.filter { $0.subject == subject }.map(\.receive)
        }
        for receive in receivers { receive(body) }
    }

    func standing(of stream: ClusterStream) async -> StreamStanding? {
        jetStream.state.withLockedValue { state in
            guard !state.isDown else { return nil }
            let messages = state.streams[stream] ?? []
            let bytes = messages.reduce(0) { $0 + $1.body.readableBytes }
            return StreamStanding(
                leader: "loopback",
                messages: UInt64(messages.count),
                bytes: UInt64(bytes),
                replicas: 0,
                behind: 0
            )
        }
    }
}

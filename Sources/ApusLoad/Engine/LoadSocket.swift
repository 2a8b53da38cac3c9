import ApusSockets
import ApusTLS
import Glibc

/// One connection of a thread: its socket, the remains of the last read and the last write, and its counters.
final class LoadSocket: PollTarget {
    enum Phase {
        case connecting
        /// The TLS handshake is under way.
        case securing
        /// The protocol is starting: a handshake, a subscribe.
        case opening
        case ready
        case closed
    }

    /// The state and the counters of a subscriber.
    struct Subscriber {
        let topic: Int
        /// The index of its first track. It has one for each publisher.
        let firstTrack: Int
        let isStalled: Bool
        /// Whether its deliveries return credit to publishers.
        let givesCredit: Bool
        var received = 0
        var announced = 0
    }

    /// The state and the counters of a publisher.
    struct Publisher {
        /// The index of its first sequence. It has one for each topic.
        let firstSequence: Int
        var nextTopic: Int
        /// How many more messages it may send now.
        var credit: Int
        /// Whether it is in the list of publishers with credit.
        var isListed = false
        var published: UInt64 = 0
        var sent = SendLog()
    }

    let thread: LoadThread
    @exclusivity(unchecked) var transport: Transport
    @exclusivity(unchecked) var id: Poller.ID?
    @exclusivity(unchecked) var phase = Phase.connecting
    @exclusivity(unchecked) var connection: LoadConnection
    @exclusivity(unchecked) var subscriber: Subscriber
    @exclusivity(unchecked) var publisher: Publisher
    /// Whether incoming data is left in the kernel.
    @exclusivity(unchecked) var isStalled = false
    /// The beginning of an incomplete frame.
    @exclusivity(unchecked) var rest: [UInt8] = []
    /// Bytes that the kernel has not accepted.
    @exclusivity(unchecked) var unsent: [UInt8] = []
    @exclusivity(unchecked) private var unsentStart = 0

    init(
        thread: LoadThread,
        transport: Transport,
        connection: LoadConnection,
        subscriber: Subscriber,
        publisher: Publisher
    ) {
        self.thread = thread
        self.transport = transport
        self.connection = connection
        self.subscriber = subscriber
        self.publisher = publisher
    }

    var socket: Socket { transport.socket }
    var unsentCount: Int { unsent.count - unsentStart }
    /// Whether bytes wait for the socket.
    var hasUnsent: Bool { !unsent.isEmpty || transport.hasUnsent }

    func socketIsReady(_ events: PollEvents) {
        switch phase {
        case .closed: return
        case .connecting: return thread.finishConnecting(self)
        case .securing, .opening, .ready: break
        }
        if isStalled {
            if !events.isDisjoint(with: .broken) { thread.lost(self, "the connection broke") }
            return
        }
        if events.contains(.writable) { sendRest() }
        if !events.isDisjoint(with: [.readable, .broken]) { thread.read(self) }
    }

    // MARK: Sending

    /// Sends bytes, and keeps those that the kernel does not accept.
    func send(_ bytes: UnsafeRawBufferPointer) {
        guard !hasUnsent else {
            unsent.append(contentsOf: bytes)
            return
        }
        switch transport.send(bytes) {
        case .bytes(let count) where count == bytes.count:
            if transport.hasUnsent { thread.listen(self, to: [.readable, .writable]) }
        case .bytes(let count): keep(UnsafeRawBufferPointer(rebasing: bytes[count...]))
        case .wouldBlock: keep(bytes)
        case .failed: thread.lost(self, errorText())
        }
    }

    private func keep(_ bytes: UnsafeRawBufferPointer) {
        unsent.append(contentsOf: bytes)
        thread.listen(self, to: [.readable, .writable])
    }

    private func sendRest() {
        let result = unsent.withUnsafeBytes { transport.send(UnsafeRawBufferPointer(rebasing: $0[unsentStart...])) }
        switch result {
        case .bytes(let count): unsentStart += count
        case .wouldBlock: return
        case .failed: return thread.lost(self, errorText())
        }
        guard unsentCount == 0, !transport.hasUnsent else { return }
        unsent.removeAll(keepingCapacity: true)
        unsentStart = 0
        thread.listen(self, to: .readable)
        thread.list(self)
    }

    // MARK: Errors

    /// Why TLS failed, or the text of `errno`.
    func errorText() -> String {
        transport.tls?.session.failure ?? String(cString: strerror(errno))
    }

    /// The error of a connection attempt; `nil` if the socket is connected.
    func connectError() -> String? {
        var code: CInt = 0
        var size = socklen_t(MemoryLayout<CInt>.size)
        getsockopt(socket.descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
        return code == 0 ? nil : String(cString: strerror(code))
    }
}

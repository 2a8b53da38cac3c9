import ApusSockets
import ApusTLS
import Glibc
import Synchronization

extension LoadThread {
    /// How many connection attempts may be pending at a time: well below a listener's backlog.
    private static let connectingLimit = 128
    /// The number of connections for each source address. Runs with more connections use several source addresses.
    ///
    /// The kernel has some 28,000 ports for connections between two addresses, and uses every other port first. When
    /// that half is used up, it searches through all ports again for each further connection.
    private static let portsOfAddress = 12_000

    /// Opens this thread's connections. Subscribers come first, so that they are subscribed before anything is
    /// published.
    func connectAll() {
        while readyCount < subscriberNumbers.count + publisherNumbers.count {
            guard shared.failure == nil, !shared.isStopping else { return }
            while connecting < Self.connectingLimit, connectNext() {}
            poll(timeout: 20)
        }
        counters.readyAt.store(LoadClock.now(), ordering: .relaxed)
    }

    private func connectNext() -> Bool {
        let place = nextToConnect
        guard place < subscriberNumbers.count + publisherNumbers.count, shared.failure == nil else { return false }
        nextToConnect += 1
        do {
            if place < subscriberNumbers.count {
                subscribers.append(try open(subscriber: subscriberNumbers[place], place: place))
            } else {
                let place = place - subscriberNumbers.count
                publishers.append(try open(publisher: publisherNumbers[place], place: place))
            }
        } catch {
            shared.fail(LoadFailure(.broken, "cannot open a connection: \(error)"))
        }
        return true
    }

    private func open(subscriber number: Int, place: Int) throws(SocketError) -> LoadSocket {
        let topic = number % settings.topics
        let isFirst = number / settings.topics / settings.threads == 0
        return try open(
            LoadConnection(role: .subscriber, number: number, topic: topicName(topic)),
            subscriber: .init(
                topic: topic,
                firstTrack: place * settings.publishers,
                isStalled: settings.isStalled(number),
                givesCredit: settings.credit == .delivery && isFirst
            ),
            publisher: .init(firstSequence: 0, nextTopic: 0, credit: 0)
        )
    }

    private func open(publisher number: Int, place: Int) throws(SocketError) -> LoadSocket {
        // Publishers begin at different topics, so that they do not all use the same topic at a time.
        let topic =
            settings.wire.publishersHaveOneTopic
            ? number % settings.topics : number * settings.topics / settings.publishers
        var credit = 0
        if case .window(let window) = settings.pace { credit = window }
        return try open(
            LoadConnection(role: .publisher, number: number, topic: topicName(topic)),
            subscriber: .init(topic: 0, firstTrack: 0, isStalled: false, givesCredit: false),
            publisher: .init(firstSequence: place * settings.topics, nextTopic: topic, credit: credit)
        )
    }

    private func topicName(_ number: Int) -> String {
        LoadTopics.name(number, prefix: settings.topicPrefix)
    }

    private func open(
        _ connection: LoadConnection,
        subscriber: LoadSocket.Subscriber,
        publisher: LoadSocket.Publisher
    ) throws(SocketError) -> LoadSocket {
        let order = connection.number + (connection.role == .publisher ? settings.subscribers : 0)
        let source = settings.connections > Self.portsOfAddress ? order / Self.portsOfAddress : nil
        let socket = try Socket.connecting(to: settings.address, source: source)
        let load = LoadSocket(
            thread: self,
            transport: Transport(socket, tls: try makeTLS(for: socket)),
            connection: connection,
            subscriber: subscriber,
            publisher: publisher
        )
        load.id = try poller.add(socket, for: .writable, target: load)
        connecting += 1
        return load
    }

    private func makeTLS(for socket: Socket) throws(SocketError) -> TLSTransport? {
        guard let context = settings.tls else { return nil }
        guard let session = TLSSession(context) else {
            socket.close()
            throw SocketError("SSL_new", code: ENOMEM)
        }
        return TLSTransport(session, tlsBuffers)
    }

    /// Handles the end of a pending connection attempt.
    func finishConnecting(_ socket: LoadSocket) {
        if let error = socket.connectError() { return lost(socket, error) }
        guard let tls = socket.transport.tls else { return begin(socket) }
        socket.phase = .securing
        listen(socket, to: .readable)
        if !tls.start(on: socket.socket) { lost(socket, socket.errorText()) }
    }

    /// Begins with the protocol when the TLS handshake is complete.
    func goOnSecuring(_ socket: LoadSocket) {
        if socket.phase == .securing, socket.transport.tls?.session.isEstablished == true { begin(socket) }
    }

    private func begin(_ socket: LoadSocket) {
        socket.phase = .opening
        listen(socket, to: .readable)
        parser.begin(&socket.connection, output: &answer)
        sendAnswer(socket)
    }

    /// Sends what the protocol has written.
    func sendAnswer(_ socket: LoadSocket) {
        guard !answer.isEmpty else { return }
        answer.withUnsafeBytes { socket.send($0) }
        answer.removeAll(keepingCapacity: true)
    }

    /// Handles the protocol's report that the connection is subscribed or may publish.
    func becomeReady(_ socket: LoadSocket) {
        guard socket.phase == .opening else { return }
        socket.phase = .ready
        connecting -= 1
        readyCount += 1
        counters.ready.store(readyCount, ordering: .relaxed)
        if socket.connection.role == .publisher { list(socket) }
        if socket.subscriber.isStalled {
            socket.isStalled = true
            listen(socket, to: [])
        }
    }

    func listen(_ socket: LoadSocket, to events: PollEvents) {
        if let id = socket.id { poller.change(id, of: socket.socket, to: events) }
    }

    /// Handles the end of a connection that this program did not end.
    func lost(_ socket: LoadSocket, _ text: String) {
        guard socket.phase != .closed else { return }
        let phase = socket.phase
        close(socket)
        let what = socket.connection.role == .publisher ? "publisher" : "subscriber"
        switch phase {
        case .connecting:
            shared.fail(LoadFailure(.unreachable, "connection \(readyCount + 1) was not accepted: \(text)"))
        case .securing:
            shared.fail(LoadFailure(.refused, "connection \(readyCount + 1) has no TLS: \(text)"))
        case .opening:
            shared.fail(LoadFailure(.refused, "connection \(readyCount + 1) was not taken: \(text)"))
        case .ready where text.hasPrefix("close 1009"):
            let bytes = settings.payloadBytes
            shared.fail(LoadFailure(.impossible, "a payload of \(bytes) bytes is more than the server takes: \(text)"))
        case .ready where socket.connection.role == .publisher:
            shared.fail(LoadFailure(.broken, "the connection of \(what) \(socket.connection.number) ended: \(text)"))
        case .ready, .closed:
            if !socket.subscriber.isStalled {
                report.closed += 1
                note("\(what) \(socket.connection.number): \(text)")
            }
        }
    }

    func close(_ socket: LoadSocket) {
        guard socket.phase != .closed else { return }
        socket.phase = .closed
        if let id = socket.id { poller.remove(id, of: socket.socket) }
        socket.transport.close()
    }

    /// Keeps a text for the result. Only the first few are kept.
    func note(_ text: String) {
        if report.texts.count < 5 { report.texts.append(text) }
    }
}

extension Socket {
    /// Begins to connect. The socket becomes writable when the attempt has ended.
    ///
    /// - Parameter source: if the server is on loopback, connects from the loopback address this many after 127.0.0.1.
    static func connecting(to address: LoadAddress, source: Int?) throws(SocketError) -> Socket {
        let kind = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = Glibc.socket(address.family, kind, 0)
        guard descriptor >= 0 else { throw SocketError("socket", code: errno) }
        let socket = Socket(descriptor: descriptor)
        socket.disableDelay()
        if let source, address.isIPv4Loopback { socket.bindLoopback(source) }
        let result = address.withSocketAddress { connect(descriptor, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else {
            let error = SocketError("connect", code: errno)
            socket.close()
            throw error
        }
        return socket
    }

    private func bindLoopback(_ number: Int) {
        var isOn: CInt = 1
        // Choose the port on connecting, so that one port can serve several peers.
        setsockopt(descriptor, CInt(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, &isOn, socklen_t(MemoryLayout<CInt>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = (0x7F00_0001 + UInt32(number)).bigEndian
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

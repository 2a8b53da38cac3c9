#if NATS
import CNATS
import Glibc

/// One connection to one server, until it ends: libnats does not reconnect here, ``NATSConnection`` does.
///
/// So no message is ever kept for a later connection, and no subscription goes on with a gap. Belongs to the thread of
/// its `NATSConnection`, where sending may block, up to ``writeDeadline``.
final class Link {
    /// How long to wait for a server at most, in milliseconds.
    static let connectTimeout: Int64 = 2000
    /// After which time without progress a connection is given up while it sends, in milliseconds.
    static let writeDeadline: Int64 = 2000
    /// How often the server is asked whether it is there, in milliseconds. After two questions without an answer the
    /// connection is over. Whoever waits for an acknowledgement leaves a server earlier.
    static let pingInterval: Int64 = 5000

    private let pointer: OpaquePointer

    private init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        natsConnection_Destroy(pointer)
    }

    /// Connects to a server.
    ///
    /// - Parameter listener: hears of everything until, at last, of the end.
    static func open(
        _ url: String,
        _ settings: NATSSettings,
        _ listener: LinkListener
    ) throws(NATSFailure) -> Link {
        let options = try LinkOptions.make(url, settings)
        try options.set(listener: Unmanaged.passUnretained(listener).toOpaque())
        let retained = Unmanaged.passRetained(listener)
        var made: OpaquePointer?
        let status = natsConnection_Connect(&made, options.pointer)
        guard status == NATS_OK, let made else {
            // Of a connection that was never there, libnats tells nobody.
            retained.release()
            throw NATSFailure.connecting(to: url, status, LibraryError.text, settings)
        }
        return Link(made)
    }

    var maxPayload: Int { Int(natsConnection_GetMaxPayload(pointer)) }

    var serverID: String {
        text(of: 256) { natsConnection_GetConnectedServerId(pointer, $0, $1) }
    }

    /// The servers of the cluster that this one told of.
    var discovered: [String] { Self.discovered(by: pointer) }

    static func discovered(by connection: OpaquePointer?) -> [String] {
        var servers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        var count: CInt = 0
        guard natsConnection_GetDiscoveredServers(connection, &servers, &count) == NATS_OK, let servers else {
            return []
        }
        defer { free(servers) }
        return (0..<Int(count)).compactMap { index in
            guard let server = servers[index] else { return nil }
            defer { free(server) }
            return String(cString: server)
        }
    }

    /// Sends a message. Whether it arrives is not known from this.
    func send(_ message: borrowing OwnedMessage) -> Bool {
        natsConnection_PublishMsg(pointer, message.pointer) == NATS_OK
    }

    /// Subscribes; `nil` if the connection is over.
    func subscribe(to subject: String, _ receiver: LinkReceiver) -> LinkSubscription? {
        LinkSubscription(of: pointer, to: subject, receiver)
    }

    private func text(of size: Int, _ read: (UnsafeMutablePointer<CChar>?, Int) -> natsStatus) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: size) { buffer in
            guard read(buffer.baseAddress, size) == NATS_OK, let base = buffer.baseAddress else { return "" }
            return String(cString: base)
        }
    }
}

/// What libnats last complained about on this thread.
enum LibraryError {
    static var text: String {
        var status = NATS_OK
        return nats_GetLastError(&status).map { String(cString: $0) } ?? ""
    }
}

/// Hears of a connection's fate, on a thread of libnats. Retained until libnats has told of the end.
final class LinkListener: Sendable {
    let tell: @Sendable (Event) -> Void

    enum Event: Sendable {
        case ended(reason: String)
        case leaving
        /// The cluster has other servers, too.
        case discovered([String])
        case complaint(String)
    }

    init(_ tell: @escaping @Sendable (Event) -> Void) {
        self.tell = tell
    }
}

/// Gets the messages of one subscription, in their order, on a thread of libnats.
///
/// Retained by libnats from the subscription on until no message can come any more.
final class LinkReceiver: Sendable {
    let receive: @Sendable (borrowing OwnedMessage) -> Void

    init(_ receive: @escaping @Sendable (borrowing OwnedMessage) -> Void) {
        self.receive = receive
    }
}

/// A subscription, which ends with its owner.
final class LinkSubscription {
    private let pointer: OpaquePointer

    fileprivate init?(of connection: OpaquePointer, to subject: String, _ receiver: LinkReceiver) {
        let retained = Unmanaged.passRetained(receiver)
        var made: OpaquePointer?
        let status = natsConnection_Subscribe(
            &made,
            connection,
            subject,
            { _, _, message, receiver in
                guard let message else { return }
                let owned = OwnedMessage(message)
                guard let receiver else { return }
                Unmanaged<LinkReceiver>.fromOpaque(receiver).takeUnretainedValue().receive(owned)
            },
            retained.toOpaque()
        )
        guard status == NATS_OK, let made else {
            retained.release()
            return nil
        }
        pointer = made
        // Fails if the connection has ended since. Then a message may still be under way to the receiver, and nobody
        // would tell when it has passed: it stays, one small object for each time this happens.
        _ = natsSubscription_SetOnCompleteCB(
            made,
            { receiver in
                guard let receiver else { return }
                Unmanaged<LinkReceiver>.fromOpaque(receiver).release()
            },
            retained.toOpaque()
        )
    }

    deinit {
        natsSubscription_Destroy(pointer)
    }
}
#endif

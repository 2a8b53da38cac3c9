import COpenSSL
import Synchronization

/// One connection's TLS, of a server or a client: turns sealed bytes into plain ones and back (RFC 8446, RFC 5246).
///
/// It touches no socket. Used by one thread at a time; ``detach()`` takes it to another one. Memory is bounded by
/// OpenSSL's state, some 14 KiB, and one incomplete record of 16 KiB.
public final class TLSSession {
    /// The most plain bytes that one record carries (RFC 8446 section 5.1), and more than a record adds to them.
    public static let (recordSize, recordOverhead) = (16 * 1024, 256)

    /// What has become of sealed bytes.
    public enum Opened: Equatable {
        /// So many plain bytes; more sealed ones are needed for the next.
        case bytes(Int)
        /// So many plain bytes; call again with no new input, as there was no room for more.
        case unfinished(Int)
        /// So many plain bytes, and the peer sends no more (`close_notify`).
        case ended(Int)
        /// The peer broke the protocol, or there is no common version, cipher or protocol. There may be an alert to
        /// send. What came before that was valid, and has its own result: ``ended(_:)``.
        case failed
    }

    private let ssl: OpaquePointer
    private let wire: UnsafeMutablePointer<copenssl_wire>
    /// The connection's callbacks use it.
    private let context: any AnyObject & Sendable
    /// Whether nothing can be opened or sealed any more.
    private var isBroken = false
    /// Whether another session has the connection's state.
    private var isDetached = false
    /// Why the session failed.
    public private(set) var failure: String?

    /// A new connection's of a server. `nil` if there is no memory.
    public convenience init?(_ context: TLSContext) {
        guard let connection = context.server.makeConnection() else { return nil }
        self.init(connection, context)
    }

    /// A new connection's of a client, which begins the handshake: ``open(_:into:output:)``, with nothing at first.
    public convenience init?(_ context: TLSClientContext) {
        guard let connection = context.makeConnection() else { return nil }
        self.init(connection, context)
    }

    private init(
        _ connection: (OpaquePointer, UnsafeMutablePointer<copenssl_wire>),
        _ context: any AnyObject & Sendable
    ) {
        (ssl, wire) = connection
        self.context = context
    }

    deinit {
        if !isDetached { SSL_free(ssl) }
    }

    /// Whether the handshake is complete.
    public var isEstablished: Bool { SSL_is_init_finished(ssl) == 1 }

    /// The common name of the client's certificate; `nil` without one, or if it has none or several.
    public var peerCommonName: String? {
        guard let certificate = SSL_get1_peer_certificate(ssl) else { return nil }
        defer { X509_free(certificate) }
        var size: CInt = 0
        guard let bytes = copenssl_common_name(certificate, &size) else { return nil }
        defer { copenssl_free(bytes) }
        return String(decoding: UnsafeBufferPointer(start: bytes, count: Int(size)), as: UTF8.self)
    }

    // MARK: Opening

    /// Opens sealed bytes, and goes on with the handshake.
    ///
    /// - Parameters:
    ///   - sealed: what has come. All of it is taken unless the result is ``Opened/unfinished(_:)``: then it is left in
    ///     `sealed`, and has to be given again.
    ///   - space: for the plain bytes.
    ///   - output: gets what has to be sent for that: messages of the handshake, alerts, answers to key updates.
    public func open(
        _ sealed: inout UnsafeRawBufferPointer,
        into space: UnsafeMutableRawBufferPointer,
        output: inout SealedOutput
    ) -> Opened {
        guard !isBroken else { return .failed }
        wire.pointee.input = sealed.bindMemory(to: UInt8.self).baseAddress
        wire.pointee.input_left = sealed.count
        defer {
            sealed = UnsafeRawBufferPointer(rebasing: sealed.suffix(wire.pointee.input_left))
            wire.pointee.input = nil
            wire.pointee.input_left = 0
        }
        var total = 0
        while total < space.count {
            var count = 0
            ERR_clear_error()
            let result = output.collect(wire) {
                SSL_read_ex(ssl, space.baseAddress.map { $0 + total }, space.count - total, &count)
            }
            if result == 1 {
                total += count
                continue
            }
            switch SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ: return .bytes(total)
            case SSL_ERROR_ZERO_RETURN: return .ended(total)
            case SSL_ERROR_WANT_WRITE where output.grow(): continue
            default:
                fail()
                return total > 0 ? .ended(total) : .failed
            }
        }
        return .unfinished(total)
    }

    private func fail() {
        failure = TLSContext.opensslReason()
        isBroken = true
    }

    // MARK: Sealing

    /// Seals plain bytes: at most one record's worth.
    ///
    /// - Returns: how many plain bytes were sealed; `nil` if the session is broken, or the handshake not complete.
    public func seal(_ plain: UnsafeRawBufferPointer, output: inout SealedOutput) -> Int? {
        guard !isBroken, plain.count > 0 else { return isBroken ? nil : 0 }
        var count = 0
        ERR_clear_error()
        let size = min(plain.count, Self.recordSize)
        output.reserve(size + Self.recordOverhead)
        let result = output.collect(wire) { SSL_write_ex(ssl, plain.baseAddress, size, &count) }
        guard result == 1 else {
            fail()
            return nil
        }
        return count
    }

    /// Says that nothing more is sent (`close_notify`).
    public func close(output: inout SealedOutput) {
        guard !isBroken, isEstablished, SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN == 0 else { return }
        ERR_clear_error()
        output.reserve(Self.recordOverhead)
        _ = output.collect(wire) { SSL_shutdown(ssl) }
        ERR_clear_error()
    }

    // MARK: To another thread

    /// Takes the connection's state out of this session, which is over then.
    public func detach() -> DetachedTLS {
        isDetached = true
        isBroken = true
        return DetachedTLS(ssl: UInt(bitPattern: ssl), wire: UInt(bitPattern: wire), context: context)
    }

    /// Takes up the state. `nil` if another session has done so.
    public convenience init?(_ detached: DetachedTLS) {
        guard let connection = detached.take() else { return nil }
        self.init(connection, detached.context)
    }
}

/// A connection's TLS between two threads. It ends there unless a session takes it up.
public final class DetachedTLS: Sendable {
    fileprivate let context: any AnyObject & Sendable
    private let ssl: UInt
    private let wire: UInt
    private let isTaken = Atomic(false)

    fileprivate init(ssl: UInt, wire: UInt, context: any AnyObject & Sendable) {
        self.ssl = ssl
        self.wire = wire
        self.context = context
    }

    deinit {
        if let (ssl, _) = take() { SSL_free(ssl) }
    }

    fileprivate func take() -> (OpaquePointer, UnsafeMutablePointer<copenssl_wire>)? {
        guard !isTaken.exchange(true, ordering: .acquiringAndReleasing) else { return nil }
        guard let ssl = OpaquePointer(bitPattern: ssl), let wire = UnsafeMutablePointer<copenssl_wire>(bitPattern: wire)
        else { return nil }
        return (ssl, wire)
    }
}

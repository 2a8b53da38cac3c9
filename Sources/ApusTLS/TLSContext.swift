import COpenSSL
import Glibc

/// The PEM files of a certificate with its chain, and of its private key.
public struct TLSFiles: Sendable, Equatable {
    public var certificate: String
    public var key: String

    public init(certificate: String, key: String) {
        self.certificate = certificate
        self.key = key
    }
}

/// A file that cannot be used.
public struct TLSError: Error, Equatable, CustomStringConvertible {
    public let file: String
    /// The rest of a sentence that begins with the file.
    public let reason: String

    public init(file: String, reason: String) {
        self.file = file
        self.reason = reason
    }

    public var description: String { "\(file) \(reason)" }
}

/// What a server's TLS connections share: certificates with their keys, and the keys that seal session tickets.
///
/// TLS 1.2 and 1.3, ALPN `http/1.1` (RFC 7301), the certificate by the name that the client asks for (RFC 6066
/// section 3), and sessions resumed by tickets (RFC 5077, RFC 8446 section 2.2). Connections keep the context that they
/// were made with.
public final class TLSContext: Sendable {
    /// How many bytes a ticket key has in its file: a name of 16, and two keys of 32.
    public static let ticketKeySize = MemoryLayout<copenssl_ticket_key>.size
    /// How many ticket keys a file may have. The first seals tickets, the others open older ones.
    public static let maxTicketKeys = 16

    /// When the first of the certificates ends, in milliseconds since 1970.
    public let expires: Int64
    let server: Server

    /// The C structures. OpenSSL allows several threads to make connections from one context.
    struct Server: Sendable {
        private let address: UInt
        private let method: UInt

        fileprivate init(_ server: UnsafeMutablePointer<copenssl_server>, _ method: OpaquePointer) {
            address = UInt(bitPattern: server)
            self.method = UInt(bitPattern: method)
        }

        fileprivate var pointer: UnsafeMutablePointer<copenssl_server>? { UnsafeMutablePointer(bitPattern: address) }

        /// A connection's state, and its wire. `nil` if there is no memory.
        func makeConnection() -> (OpaquePointer, UnsafeMutablePointer<copenssl_wire>)? {
            guard let context = pointer?.pointee.contexts?[0], let ssl = SSL_new(context) else { return nil }
            guard let wire = copenssl_add_wire(ssl, OpaquePointer(bitPattern: method)) else {
                SSL_free(ssl)
                return nil
            }
            SSL_set_accept_state(ssl)
            return (ssl, wire)
        }

        fileprivate func free() {
            BIO_meth_free(OpaquePointer(bitPattern: method))
            guard let pointer else { return }
            for index in 0..<pointer.pointee.context_count { SSL_CTX_free(pointer.pointee.contexts[index]) }
            pointer.pointee.contexts.deallocate()
            OPENSSL_cleanse(pointer.pointee.ticket_keys, pointer.pointee.ticket_key_count * TLSContext.ticketKeySize)
            pointer.pointee.ticket_keys.deallocate()
            pointer.deallocate()
        }
    }

    /// Loads the files.
    ///
    /// - Parameters:
    ///   - certificates: the first is for clients that ask for no name, or for one that no certificate has.
    ///   - clientCA: a PEM file. Clients must then show a certificate that one of its certificates vouches for.
    ///   - ticketKeys: a file of ``ticketKeySize`` random bytes for each key, which servers may share. Without one, the
    ///     keys are random.
    ///   - other: the context that this one replaces. Its random ticket keys stay in use.
    /// - Throws: ``TLSError``
    public init(
        certificates: [TLSFiles],
        clientCA: String? = nil,
        ticketKeys: String? = nil,
        replacing other: TLSContext? = nil
    ) throws(TLSError) {
        precondition(!certificates.isEmpty, "a server has a certificate")
        guard let method = copenssl_wire_method() else { throw TLSError(file: "OpenSSL", reason: "is out of memory") }
        let keys: [UInt8]
        do throws(TLSError) {
            keys = try ticketKeys.map(Self.readTicketKeys) ?? other?.randomTicketKeys ?? Self.makeTicketKey()
        } catch {
            BIO_meth_free(method)
            throw error
        }
        let pointer = UnsafeMutablePointer<copenssl_server>.allocate(capacity: 1)
        let contexts = UnsafeMutablePointer<OpaquePointer?>.allocate(capacity: certificates.count)
        let keyCount = keys.count / Self.ticketKeySize
        let keyPointer = UnsafeMutablePointer<copenssl_ticket_key>.allocate(capacity: keyCount)
        UnsafeMutableRawPointer(keyPointer).copyMemory(from: keys, byteCount: keys.count)
        pointer.initialize(
            to: copenssl_server(
                contexts: contexts,
                context_count: 0,
                ticket_keys: keyPointer,
                ticket_key_count: keyCount
            )
        )
        server = Server(pointer, method)
        hasRandomTicketKeys = ticketKeys == nil
        var expires = Int64.max
        do throws(TLSError) {
            for files in certificates {
                let (context, end) = try Self.load(files, clientCA: clientCA, for: pointer)
                contexts[pointer.pointee.context_count] = context
                pointer.pointee.context_count += 1
                expires = min(expires, end)
            }
        } catch {
            server.free()
            throw error
        }
        self.expires = expires
    }

    deinit {
        server.free()
    }

    // MARK: Ticket keys

    private let hasRandomTicketKeys: Bool

    private var randomTicketKeys: [UInt8]? {
        guard hasRandomTicketKeys, let server = server.pointer?.pointee else { return nil }
        let size = server.ticket_key_count * Self.ticketKeySize
        return Array(UnsafeRawBufferPointer(start: server.ticket_keys, count: size))
    }

    private static func makeTicketKey() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<ticketKeySize).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }

    private static func readTicketKeys(_ file: String) throws(TLSError) -> [UInt8] {
        let bytes = try read(file, atMost: ticketKeySize * maxTicketKeys + 1)
        guard 1...ticketKeySize * maxTicketKeys ~= bytes.count, bytes.count % ticketKeySize == 0 else {
            let text = "must have \(ticketKeySize) random bytes for each ticket key, and at most \(maxTicketKeys) keys"
            throw TLSError(file: file, reason: text)
        }
        return bytes
    }

    static func read(_ file: String, atMost limit: Int) throws(TLSError) -> [UInt8] {
        guard let stream = fopen(file, "re") else {
            throw TLSError(file: file, reason: "cannot be read: \(reason(errno))")
        }
        defer { fclose(stream) }
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = fread(&bytes, 1, limit, stream)
        guard ferror(stream) == 0 else { throw TLSError(file: file, reason: "cannot be read: \(reason(errno))") }
        return Array(bytes[..<count])
    }

    static func reason(_ code: CInt) -> String {
        strerror(code).map { String(cString: $0).lowercased() } ?? "error \(code)"
    }
}

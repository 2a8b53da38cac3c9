import COpenSSL

/// What the TLS connections of a client to one server share.
///
/// TLS 1.2 and 1.3, ALPN `http/1.1`. The server must show a certificate of an authority, for the host that was asked
/// for. Each connection makes a whole handshake.
public final class TLSClientContext: Sendable {
    private let address: UInt
    private let method: UInt
    private let host: String
    private let hostIsAddress: Bool

    /// Loads the files.
    ///
    /// - Parameters:
    ///   - host: the server's name or IP address, without brackets.
    ///   - authorities: a PEM file with those that may vouch for the server, in place of the system's.
    ///   - certificate: what the client shows if the server asks for it.
    /// - Throws: ``TLSError``
    public init(host: String, authorities: String? = nil, certificate: TLSFiles? = nil) throws(TLSError) {
        for file in [authorities, certificate?.certificate, certificate?.key].compactMap(\.self) {
            try TLSContext.checkReadable(file)
        }
        ERR_clear_error()
        guard let method = copenssl_wire_method() else { throw TLSError(file: "OpenSSL", reason: "is out of memory") }
        guard let context = SSL_CTX_new(TLS_client_method()) else {
            BIO_meth_free(method)
            throw TLSError(file: "OpenSSL", reason: "cannot be set up: \(TLSContext.opensslReason())")
        }
        (address, self.method) = (UInt(bitPattern: context), UInt(bitPattern: method))
        self.host = host
        hostIsAddress = X509_VERIFY_PARAM_set1_ip_asc(SSL_CTX_get0_param(context), host) == 1
        guard hostIsAddress || X509_VERIFY_PARAM_set1_host(SSL_CTX_get0_param(context), host, 0) == 1,
            copenssl_configure_client(context) == 1
        else { throw TLSError(file: "OpenSSL", reason: "cannot be set up: \(TLSContext.opensslReason())") }
        if let authorities {
            guard SSL_CTX_load_verify_file(context, authorities) == 1 else {
                let reason = "has no certificate in PEM form (\(TLSContext.opensslReason()))"
                throw TLSError(file: authorities, reason: reason)
            }
        } else {
            SSL_CTX_set_default_verify_paths(context)
        }
        if let certificate { _ = try TLSContext.use(certificate, in: context) }
    }

    deinit {
        SSL_CTX_free(OpaquePointer(bitPattern: address))
        BIO_meth_free(OpaquePointer(bitPattern: method))
    }

    /// A connection's state, and its wire. `nil` if there is no memory.
    func makeConnection() -> (OpaquePointer, UnsafeMutablePointer<copenssl_wire>)? {
        guard let ssl = SSL_new(OpaquePointer(bitPattern: address)) else { return nil }
        guard let wire = copenssl_add_wire(ssl, OpaquePointer(bitPattern: method)),
            // An address is no name that could be asked for (RFC 6066 section 3).
            hostIsAddress || copenssl_ask_for_name(ssl, host) == 1
        else {
            SSL_free(ssl)
            return nil
        }
        SSL_set_connect_state(ssl)
        return (ssl, wire)
    }
}

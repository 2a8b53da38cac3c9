package import NIOSSL

/// How a client and a server with TLS prove to each other who they are.
public struct ClientTLS: Sendable, Hashable {
    /// A PEM file with the authorities that may vouch for the server, in place of the system's.
    public var authorities: String?
    /// A PEM file with the client's certificate and its chain, for a server that asks for one.
    public var certificate: String?
    /// A PEM file with the key of the certificate, without a passphrase.
    public var key: String?
    /// Whether the server has to prove who it is. Without, anybody between the client and the server could be it.
    public var verifiesServer = true

    /// The system's authorities, and no certificate.
    public init() {}

    /// What a connection is made with. Reads the files.
    ///
    /// Throws `unusableFile` with a message that names the file.
    package func context() throws(ClientError) -> NIOSSLContext {
        let configuration = try configuration()
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            guard let certificate, let key else {
                throw ClientError(.unreachable, "TLS cannot be set up", cause: error)
            }
            throw ClientError(.unusableFile, "'\(key)' is not the key of '\(certificate)'", cause: error)
        }
    }

    func configuration() throws(ClientError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if !verifiesServer { configuration.certificateVerification = .none }
        if let authorities {
            configuration.trustRoots = .certificates(try Self.certificates(in: authorities))
        }
        if let certificate {
            configuration.certificateChain = try Self.certificates(in: certificate).map { .certificate($0) }
        }
        if let key {
            let privateKey = try Self.reading(key, for: "private key") { try NIOSSLPrivateKey(file: key, format: .pem) }
            configuration.privateKey = .privateKey(privateKey)
        }
        return configuration
    }

    private static func certificates(in file: String) throws(ClientError) -> [NIOSSLCertificate] {
        try reading(file, for: "certificate") { try NIOSSLCertificate.fromPEMFile(file) }
    }

    private static func reading<Content>(
        _ file: String,
        for what: String,
        _ body: () throws -> Content
    ) throws(ClientError) -> Content {
        do {
            return try body()
        } catch {
            let reason = ClientError.reasonNotToRead(file) ?? "it has no \(what) in PEM form"
            throw ClientError(.unusableFile, "'\(file)' cannot be used: \(reason)", cause: error)
        }
    }
}

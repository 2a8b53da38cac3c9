#if NATS
import CNATS
import Glibc

/// The options of a connection, freed with their owner.
struct LinkOptions: ~Copyable {
    let pointer: OpaquePointer

    private init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    static func make(_ url: String, _ settings: NATSSettings) throws(NATSFailure) -> LinkOptions {
        var made: OpaquePointer?
        guard natsOptions_Create(&made) == NATS_OK, let made else {
            throw NATSFailure(.badSettings, "There is no memory for a connection to NATS.")
        }
        let options = LinkOptions(made)
        try options.configure(url, settings)
        return options
    }

    private func configure(_ url: String, _ settings: NATSSettings) throws(NATSFailure) {
        try set("URL", natsOptions_SetURL(pointer, url))
        try set("name", natsOptions_SetName(pointer, settings.name))
        try set("time-out", natsOptions_SetTimeout(pointer, Link.connectTimeout))
        try set("write deadline", natsOptions_SetWriteDeadline(pointer, Link.writeDeadline))
        try set("ping interval", natsOptions_SetPingInterval(pointer, Link.pingInterval))
        try set("pings out", natsOptions_SetMaxPingsOut(pointer, 2))
        try set("reconnecting", natsOptions_SetAllowReconnect(pointer, false))
        // Else each acknowledgement waits a millisecond.
        try set("sending", natsOptions_SetSendAsap(pointer, true))
        if let file = settings.credentials {
            try Self.check(file, is: "user's credentials (--nats-creds)")
            try set("credentials", natsOptions_SetUserCredentialsFromFiles(pointer, file, nil))
        }
        if url.hasPrefix("tls://") || settings.authorities != nil {
            try set("TLS", natsOptions_SetSecure(pointer, true))
        }
        if let file = settings.authorities {
            try Self.check(file, is: "authorities (--nats-ca)")
            guard natsOptions_LoadCATrustedCertificates(pointer, file) == NATS_OK else {
                throw NATSFailure(
                    .badSettings,
                    "'\(file)' has no certificate that can be read; --nats-ca takes a file of certificates in PEM."
                )
            }
        }
    }

    deinit {
        natsOptions_Destroy(pointer)
    }

    /// Who hears of the connection: a ``LinkListener``, retained by the caller, and released once it has heard of the
    /// end.
    func set(listener: UnsafeMutableRawPointer) throws(NATSFailure) {
        let closed: natsConnectionHandler = { connection, listener in
            guard let listener else { return }
            let ended = Unmanaged<LinkListener>.fromOpaque(listener).takeRetainedValue()
            ended.tell(.ended(reason: LinkOptions.lastError(of: connection)))
        }
        let leaving: natsConnectionHandler = { _, listener in
            guard let listener else { return }
            Unmanaged<LinkListener>.fromOpaque(listener).takeUnretainedValue().tell(.leaving)
        }
        let discovered: natsConnectionHandler = { connection, listener in
            guard let listener else { return }
            let servers = Link.discovered(by: connection)
            Unmanaged<LinkListener>.fromOpaque(listener).takeUnretainedValue().tell(.discovered(servers))
        }
        let complaint: natsErrHandler = { connection, _, status, listener in
            guard let listener else { return }
            let isSlow = status == NATS_SLOW_CONSUMER
            let text = isSlow ? "messages came faster than they were taken" : LinkOptions.lastError(of: connection)
            Unmanaged<LinkListener>.fromOpaque(listener).takeUnretainedValue().tell(.complaint(text))
        }
        try set("handlers", natsOptions_SetClosedCB(pointer, closed, listener))
        try set("handlers", natsOptions_SetLameDuckModeCB(pointer, leaving, listener))
        try set("handlers", natsOptions_SetDiscoveredServersCB(pointer, discovered, listener))
        try set("handlers", natsOptions_SetErrorHandler(pointer, complaint, listener))
    }

    private func set(_ what: String, _ status: natsStatus) throws(NATSFailure) {
        guard status == NATS_OK else {
            throw NATSFailure(.badSettings, "libnats does not take the \(what): \(LibraryError.text).")
        }
    }

    /// libnats tells of a file only that the server refused what it read.
    private static func check(_ file: String, is what: String) throws(NATSFailure) {
        guard access(file, R_OK) == 0 else {
            let error = String(cString: strerror(errno))
            throw NATSFailure(.badSettings, "The file of the \(what), '\(file)', cannot be read: \(error).")
        }
    }

    private static func lastError(of connection: OpaquePointer?) -> String {
        var text: UnsafePointer<CChar>?
        guard natsConnection_GetLastError(connection, &text) != NATS_OK, let text else { return "" }
        return String(cString: text)
    }
}

extension NATSFailure {
    /// Why a connection could not be made, as far as libnats tells.
    static func connecting(
        to url: String,
        _ status: natsStatus,
        _ detail: String,
        _ settings: NATSSettings
    ) -> NATSFailure {
        let server = "The NATS server at \(hidingPassword(of: url))"
        // libnats begins with the place in its source: "(conn.c:733): ".
        let detail = detail.firstRange(of: "): ").map { String(detail[$0.upperBound...]) } ?? detail
        switch status {
        case NATS_CONNECTION_AUTH_FAILED:
            return NATSFailure(
                .wrongCredentials,
                "\(server) refuses the credentials; set --nats-creds to a file of a user that it knows, or give user and password in the URL."
            )
        case NATS_SECURE_CONNECTION_WANTED:
            return NATSFailure(
                .withoutTLS,
                "\(server) does not speak TLS; write its URL with nats:// and leave out --nats-ca, or set tls in its configuration."
            )
        case NATS_SSL_ERROR:
            return NATSFailure(
                .untrusted,
                "\(server) has a certificate that is not trusted; set --nats-ca to the authority that issued it for the host of the URL (\(detail))."
            )
        default:
            return NATSFailure(
                .unreachable,
                "\(server) cannot be reached; see that it runs, and that --nats has its address (\(detail))."
            )
        }
    }

    /// A URL as it may be shown: without what is between the scheme and the host.
    static func hidingPassword(of url: String) -> String {
        guard let at = url.lastIndex(of: "@") else { return url }
        let start = url.firstRange(of: "://")?.upperBound ?? url.startIndex
        return String(url[..<start] + url[url.index(after: at)...])
    }
}

#endif

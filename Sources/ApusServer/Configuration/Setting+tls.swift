extension Setting {
    /// TLS at the server's own ports.
    static let tls: [Setting] = [
        .init(
            "tls.certificate",
            \.tls.certificate,
            .path,
            isReloadable: true,
            "File with the server's certificate and its chain, in PEM: https and wss in place of http and ws."
        ),
        .init("tls.key", \.tls.key, .path, isReloadable: true, "File with the certificate's key, in PEM."),
        .init(
            "tls.more",
            \.tls.more,
            .certificates,
            isReloadable: true,
            "Certificates for further names (SNI), as a list of {certificate, key}."
        ),
        .init(
            "tls.client_ca",
            \.tls.clientCA,
            .path,
            isReloadable: true,
            "File with the authorities of clients' certificates, in PEM; clients then need a certificate."
        ),
        .init(
            "tls.ticket_keys",
            \.tls.ticketKeys,
            .path,
            isReloadable: true,
            "File with keys for session tickets, 80 random bytes each, that several servers share."
        ),
    ]
}

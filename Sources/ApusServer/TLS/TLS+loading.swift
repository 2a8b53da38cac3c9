import ApusSockets
import ApusTLS

extension ServerConfiguration.TLS {
    /// Reads the files; `nil` if the server speaks no TLS.
    ///
    /// - Parameter running: what is in force. Its keys for tickets stay in use unless a file has some.
    /// - Throws: ``ConfigurationError`` for a file that cannot be used, and for settings that do not go together.
    func load(replacing running: TLSContext? = nil) throws(ConfigurationError) -> TLSInForce.Certificates? {
        try checkTogether()
        guard isOn else { return nil }
        // Before they are read: a change meanwhile is then seen as one.
        let stamps = FileStamp.all(files)
        do throws(TLSError) {
            let context = try TLSContext(
                certificates: certificates,
                clientCA: clientCA.isEmpty ? nil : clientCA,
                ticketKeys: ticketKeys.isEmpty ? nil : ticketKeys,
                replacing: running
            )
            return TLSInForce.Certificates(settings: self, stamps: stamps, context: context)
        } catch {
            throw ConfigurationError(
                code: .unusableFile,
                setting: setting(naming: error.file),
                value: error.file,
                source: nil,
                reason: error.reason
            )
        }
    }

    /// Reads the files for a server that runs with others. A reload does not turn TLS on or off: its clients speak what
    /// the server spoke when they found it.
    func load(afterReloadFrom running: TLSInForce?) throws(ConfigurationError) -> TLSInForce.Certificates? {
        let next = try load(replacing: running?.current)
        guard (next == nil) == (running == nil) else {
            throw ConfigurationError(
                code: .conflict,
                setting: "tls.certificate",
                value: certificate.isEmpty ? "none" : certificate,
                source: nil,
                reason: "would turn TLS \(isOn ? "on" : "off"), which only a restart does"
            )
        }
        return next
    }

    private func setting(naming file: String) -> String {
        switch file {
        case key: "tls.key"
        case clientCA: "tls.client_ca"
        case ticketKeys: "tls.ticket_keys"
        case _ where more.contains { [$0.certificate, $0.key].contains(file) }: "tls.more"
        default: "tls.certificate"
        }
    }

    // One statement for each setting: the compiler laid out a loop over a list of them in two ways, by chance, and
    // packages are to be the same each time.
    private func checkTogether() throws(ConfigurationError) {
        if isOn {
            if key.isEmpty { throw Self.missing("tls.key", for: "tls.certificate", certificate) }
            return
        }
        if !key.isEmpty { throw Self.missing("tls.certificate", for: "tls.key", key) }
        if !more.isEmpty { throw Self.missing("tls.certificate", for: "tls.more", "\(more.count) more") }
        if !clientCA.isEmpty { throw Self.missing("tls.certificate", for: "tls.client_ca", clientCA) }
        if !ticketKeys.isEmpty { throw Self.missing("tls.certificate", for: "tls.ticket_keys", ticketKeys) }
    }

    private static func missing(_ other: String, for setting: String, _ value: String) -> ConfigurationError {
        ConfigurationError(
            code: .conflict,
            setting: setting,
            value: value,
            source: nil,
            reason: "cannot be used without \(other)"
        )
    }
}

extension ServerConfiguration {
    /// Reads the files of certificates as the server does at its start.
    ///
    /// - Throws: ``ConfigurationError`` for a file that cannot be used.
    package func checkTLS() throws(ConfigurationError) {
        _ = try tls.load()
    }
}

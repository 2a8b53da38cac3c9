import ApusClient
import ApusServer
import ArgumentParser

/// How a command and a server with TLS prove to each other who they are. The same for every command that talks to one.
struct TLSArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            A PEM file with the authorities that may vouch for an https server, in place of the system's: for a private \
            one. (env: APUS_CA)
            """,
            valueName: "path"
        )
    )
    var ca: String?

    @Option(
        help: ArgumentHelp(
            "A PEM file with a certificate of this client, where the server wants one. (env: APUS_CERT)",
            valueName: "path"
        )
    )
    var cert: String?

    @Option(help: ArgumentHelp("A PEM file with its private key. (env: APUS_CERT_KEY)", valueName: "path"))
    var certKey: String?

    /// What the flags say, and what the places behind them say where there is no flag.
    func options(_ layers: [SettingsLayer]) throws -> ClientTLS {
        var tls = ClientTLS()
        tls.authorities = ca ?? layers.lazy.compactMap(\.authorities).first
        // A pair comes from one place.
        var names = "--cert and --cert-key"
        let isGiven = cert != nil || certKey != nil
        if isGiven {
            (tls.certificate, tls.key) = (cert, certKey)
        } else if let layer = layers.first(where: { $0.certificate != nil || $0.certificateKey != nil }) {
            (tls.certificate, tls.key) = (layer.certificate, layer.certificateKey)
            names = layer.pairNames
        }
        guard (tls.certificate == nil) == (tls.key == nil) else {
            throw CommandFailure("\(names) go together", exitCode: isGiven ? .usage : .badConfiguration)
        }
        return tls
    }
}

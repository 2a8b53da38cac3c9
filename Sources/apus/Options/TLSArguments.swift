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

    /// What the flags say, and the environment where there is no flag.
    func options() throws -> ClientTLS {
        let variables = ConnectionOptions.variables
        var tls = ClientTLS()
        tls.authorities = ca ?? variables["APUS_CA"]
        // A pair comes from one place.
        let isGiven = cert != nil || certKey != nil
        tls.certificate = isGiven ? cert : variables["APUS_CERT"]
        tls.key = isGiven ? certKey : variables["APUS_CERT_KEY"]
        guard (tls.certificate == nil) == (tls.key == nil) else {
            throw CommandFailure(
                isGiven ? "--cert and --cert-key go together" : "APUS_CERT and APUS_CERT_KEY go together",
                exitCode: isGiven ? .usage : .badConfiguration
            )
        }
        return tls
    }
}

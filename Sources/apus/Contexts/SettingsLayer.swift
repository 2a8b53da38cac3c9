import ApusAccess
import ApusClient
import ApusServer

/// One place where a command finds what its flags do not say: the environment, or a context.
struct SettingsLayer {
    /// How messages name the place of the address.
    let urlOrigin: String
    let url: String?
    let authorities: String?
    let certificate: String?
    let certificateKey: String?
    /// How messages name the two above.
    let pairNames: String
    private let credentialNames: String
    private let apiKey: () throws -> String?
    private let token: String?
    private let tokenFile: String?

    init(_ variables: EnvironmentVariables) {
        urlOrigin = "APUS_URL"
        url = variables["APUS_URL"]
        authorities = variables["APUS_CA"]
        certificate = variables["APUS_CERT"]
        certificateKey = variables["APUS_CERT_KEY"]
        pairNames = "APUS_CERT and APUS_CERT_KEY"
        credentialNames = "of APUS_API_KEY, APUS_TOKEN and APUS_TOKEN_FILE"
        token = variables["APUS_TOKEN"]
        tokenFile = variables["APUS_TOKEN_FILE"]
        apiKey = {
            do throws(ConfigurationError) {
                return try variables.secret("APUS_API_KEY", setting: "api_key")?.text
            } catch {
                throw CommandFailure("\(error)", exitCode: .badConfiguration)
            }
        }
    }

    init(_ context: StoredContext, name: String) {
        urlOrigin = "context '\(name)'"
        url = context.url
        authorities = context.ca
        certificate = context.cert
        certificateKey = context.certKey
        pairNames = "cert and cert_key of context '\(name)'"
        credentialNames = "of api_key, api_key_file and token_file of context '\(name)'"
        token = nil
        tokenFile = context.tokenFile
        apiKey = {
            if let key = context.apiKey { return key }
            guard let path = context.apiKeyFile else { return nil }
            return try Self.key(in: path, of: name)
        }
    }

    /// Whom this machine trusts is no matter of a context, unless that says so itself.
    static func authorities(_ variables: EnvironmentVariables) -> SettingsLayer {
        SettingsLayer(EnvironmentVariables(variables["APUS_CA"].map { ["APUS_CA": $0] } ?? [:]))
    }

    /// The key or the token; `nil` if this place has none.
    func credential() throws -> (apiKey: String?, token: ApusClient.TokenSource?)? {
        let key = try apiKey()
        if [key, token, tokenFile].count(where: { $0 != nil }) > 1 {
            throw CommandFailure("\(credentialNames) only one can be used", exitCode: .badConfiguration)
        }
        if let key { return (key, nil) }
        return CredentialOptions.source(token: token, file: tokenFile).map { (nil, $0) }
    }

    private static func key(in path: String, of context: String) throws -> String {
        let key: String
        do {
            key = try StructuredFile.text(of: path, limit: 64 << 10).trimmedEnd
        } catch {
            throw CommandFailure(
                "api_key_file of context '\(context)': '\(path)': \(error.reason)",
                exitCode: .badConfiguration
            )
        }
        guard !key.isEmpty, !key.contains(where: \.isNewline) else {
            throw CommandFailure(
                "api_key_file of context '\(context)': '\(path)' has no key in it, or more than one line",
                exitCode: .badConfiguration
            )
        }
        return key
    }
}

import ApusAccess
import ApusClient
import ApusServer
import ArgumentParser

/// Who the command is for the server: an API key or a token. The same for every command that talks to one.
struct CredentialOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            The API key, where the server wants one. Other users of this machine can see it here, and not in the \
            environment. (env: APUS_API_KEY, or its file: APUS_API_KEY_FILE)
            """,
            valueName: "key"
        )
    )
    var apiKey: String?

    @Option(
        help: ArgumentHelp(
            """
            A token (JWT) in place of the key. Other users of this machine can see it here: --token-file is safer. (env: \
            APUS_TOKEN)
            """,
            valueName: "token"
        )
    )
    var token: String?

    @Option(
        help: ArgumentHelp(
            """
            A file with a token. It is read again for each connection, and when the token expires, so it may be replaced \
            at any time. (env: APUS_TOKEN_FILE)
            """,
            valueName: "path"
        )
    )
    var tokenFile: String?

    func validate() throws {
        if [apiKey, token, tokenFile].count(where: { $0 != nil }) > 1 {
            throw ValidationError("--api-key, --token and --token-file exclude each other")
        }
    }

    /// The API key, or where the token comes from: from the flags, or else from the first place that has one.
    func given(_ layers: [SettingsLayer]) throws -> (apiKey: String?, token: ApusClient.TokenSource?) {
        if let apiKey { return (apiKey, nil) }
        if let source = Self.source(token: token, file: tokenFile) { return (nil, source) }
        for layer in layers {
            if let credential = try layer.credential() { return credential }
        }
        return (nil, nil)
    }

    func credential(_ layers: [SettingsLayer]) throws -> Credential {
        let (apiKey, token) = try given(layers)
        return Credential(apiKey: apiKey, token: token)
    }

    static func source(token: String?, file: String?) -> ApusClient.TokenSource? {
        if let token { return .fixed(token) }
        return file.map { path in .provider { try tokenInFile(path) } }
    }

    /// The token that a file has now.
    private static func tokenInFile(_ path: String) throws -> String {
        let text: String
        do {
            text = try StructuredFile.text(of: path, limit: CompactToken.maximumSize + 2).trimmedEnd
        } catch {
            throw ClientError(.tokenUnavailable, "token file '\(path)': \(error.reason)")
        }
        if text.isEmpty || text.contains(where: \.isWhitespace) {
            throw ClientError(.tokenUnavailable, "token file '\(path)': it has no token in it, or more than one")
        }
        return text
    }
}

import ApusAccess
import ApusProtocol

extension ServerConfiguration.Access {
    /// Reads the files of keys, and makes the policy that the settings describe.
    ///
    /// - Parameters:
    ///   - running: the policy in force. Keys that it has fetched from the same address stay in use.
    ///   - warn: called with what is wrong but can be used, one clause each.
    /// - Throws: ``ConfigurationError`` for a file or a key that cannot be used.
    func policy(
        replacing running: AccessPolicy? = nil,
        warn: (String) -> Void
    ) async throws(ConfigurationError) -> AccessPolicy {
        let old = try named("api_keys") { () throws(AccessError) in
            var keys: [APIKey] = []
            for key in Set(apiKeys).sorted() { keys.append(try APIKey(old: key)) }
            return keys
        }
        let filed =
            try keysFile.isEmpty
            ? []
            : named("keys_file", keysFile) { () throws(AccessError) in
                try KeysFile(path: keysFile).keys
            }
        let ring = try named("keys") { () throws(AccessError) in try KeyRing(old + keys + filed) }
        let verifier = try await verifier(replacing: running?.tokens, warn: warn)
        for warning in ring.warnings { warn(PlainText.escaped(warning)) }
        if ring.keys.isEmpty, !keysFile.isEmpty, verifier == nil {
            warn("there is no key in keys_file, so no client can bring a credential")
        }
        return AccessPolicy(
            keys: running.map { ring.sharing(with: $0.keys) } ?? ring,
            tokens: verifier,
            anonymous: anonymous.map { Rights($0, subject: nil) },
            isOpen: isOpen
        )
    }

    /// Whether everybody may do everything.
    var isOpen: Bool { !hasCredentials && anonymous == nil }

    /// The files that have keys.
    var files: [String] {
        var paths = [keysFile, tokens.jwksFile]
        if case .array(let keys)? = JSONValue(tokens.keys) { paths += keys.compactMap(Self.file) }
        return paths.filter { !$0.isEmpty }
    }

    /// The file that an entry of `tokens.keys` names.
    private static func file(_ entry: JSONValue) -> String? {
        guard case .object(let members) = entry else { return nil }
        return members.lazy.compactMap { name, value in
            if name == "file", case .string(let path) = value { path } else { nil }
        }.first
    }

    /// Whether a client needs a credential.
    var needsCredential: Bool { hasCredentials && anonymous == nil }

    /// Whether there are keys of any kind.
    package var hasCredentials: Bool { !apiKeys.isEmpty || !keys.isEmpty || !keysFile.isEmpty || tokens.isOn }

    /// How long revocations of tokens are kept, in milliseconds: until every token that they are about has expired.
    var revocationLifetime: Int64? {
        tokenMaxAge > .zero ? (tokenMaxAge + tokenLeeway).wholeMilliseconds : nil
    }

    private func verifier(
        replacing running: TokenVerifier?,
        warn: (String) -> Void
    ) async throws(ConfigurationError) -> TokenVerifier? {
        guard tokens.isOn else { return nil }
        var keys = try await tokenKeys()
        if !tokens.jwksFile.isEmpty { keys += try await jwks(warn: warn) }
        let remote = tokens.jwksURL.isEmpty ? nil : await remoteKeys(replacing: running?.remote)
        let policy = TokenPolicy(
            issuer: tokens.issuer.isEmpty ? nil : tokens.issuer,
            audience: tokens.audience,
            claim: tokens.claim,
            leeway: tokenLeeway.wholeMilliseconds,
            maximumAge: tokenMaxAge > .zero ? tokenMaxAge.wholeMilliseconds : nil
        )
        return try named("tokens.keys") { () throws(AccessError) in
            try TokenVerifier(keys: keys, remote: remote, policy: policy)
        }
    }

    private func remoteKeys(replacing running: RemoteTokenKeys?) async -> RemoteTokenKeys {
        let schedule = RemoteTokenKeys.Schedule(ttl: jwksTTL.wholeMilliseconds)
        if let running, running.address == tokens.jwksURL { return await running.continued(with: schedule) }
        return RemoteTokenKeys(
            address: tokens.jwksURL,
            schedule: schedule,
            now: { LoopContext.monotonicNow() },
            fetcher: JWKSFetcher(address: tokens.jwksURL).fetch
        )
    }

    private func tokenKeys() async throws(ConfigurationError) -> [TokenKey] {
        do throws(AccessError) {
            return try await TokenKey.keys(in: JSONValue(tokens.keys) ?? .null)
        } catch {
            throw Self.unusable("tokens.keys", nil, error)
        }
    }

    private func jwks(warn: (String) -> Void) async throws(ConfigurationError) -> [TokenKey] {
        do throws(AccessError) {
            let set = try await JWKSet(path: tokens.jwksFile)
            for warning in set.warnings { warn("tokens.jwks_file: \(PlainText.escaped(warning))") }
            return set.keys
        } catch {
            throw Self.unusable("tokens.jwks_file", tokens.jwksFile, error)
        }
    }

    private func named<Value>(
        _ setting: String,
        _ value: String? = nil,
        _ body: () throws(AccessError) -> Value
    ) throws(ConfigurationError) -> Value {
        do throws(AccessError) { return try body() } catch { throw Self.unusable(setting, value, error) }
    }

    private static func unusable(_ setting: String, _ value: String?, _ error: AccessError) -> ConfigurationError {
        ConfigurationError(
            code: .unusableFile,
            setting: setting,
            value: value,
            source: nil,
            reason: "cannot be used: \(error.reason)"
        )
    }
}

extension ServerConfiguration {
    /// Whether clients need neither a credential nor a certificate.
    var isOpenToEverybody: Bool { access.isOpen && tls.clientCA.isEmpty }

    /// Reads the files of keys as the server does at its start. Addresses are not fetched.
    ///
    /// - Parameter warn: called with what is wrong but can be used, one clause each.
    /// - Throws: ``ConfigurationError`` for a file or a key that cannot be used.
    package func checkAccess(warn: (String) -> Void) async throws(ConfigurationError) {
        _ = try await access.policy(warn: warn)
    }
}

import ApusAccess
import ApusProtocol
import Logging

extension ServerConfiguration.Access {
    /// Reads the files of keys, and makes the policy that the settings describe.
    ///
    /// - Throws: ``ConfigurationError`` for a file or a key that cannot be used.
    func policy(logger: Logger) async throws(ConfigurationError) -> AccessPolicy {
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
        let verifier = try await verifier(logger: logger)
        for warning in ring.warnings { logger.warning("\(PlainText.escaped(warning))") }
        return AccessPolicy(
            keys: ring,
            tokens: verifier,
            anonymous: anonymous.map { Rights($0, subject: nil) }
        )
    }

    /// Whether a client needs a credential.
    var needsCredential: Bool { hasCredentials && anonymous == nil }

    /// Whether there are keys of any kind.
    package var hasCredentials: Bool { !apiKeys.isEmpty || !keys.isEmpty || !keysFile.isEmpty || tokens.isOn }

    /// How long revocations of tokens are kept, in milliseconds: until every token that they are about has expired.
    var revocationLifetime: Int64? {
        tokenMaxAge > .zero ? (tokenMaxAge + tokenLeeway).wholeMilliseconds : nil
    }

    private func verifier(logger: Logger) async throws(ConfigurationError) -> TokenVerifier? {
        guard tokens.isOn else { return nil }
        var keys = try await tokenKeys(logger: logger)
        if !tokens.jwksFile.isEmpty { keys += try await jwks(logger: logger) }
        var remote: RemoteTokenKeys?
        if !tokens.jwksURL.isEmpty {
            remote = RemoteTokenKeys(
                schedule: RemoteTokenKeys.Schedule(ttl: jwksTTL.wholeMilliseconds),
                now: { LoopContext.monotonicNow() },
                fetcher: JWKSFetcher(address: tokens.jwksURL).fetch
            )
        }
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

    private func tokenKeys(logger: Logger) async throws(ConfigurationError) -> [TokenKey] {
        do throws(AccessError) {
            return try await TokenKey.keys(in: JSONValue(tokens.keys) ?? .null)
        } catch {
            throw Self.unusable("tokens.keys", nil, error)
        }
    }

    private func jwks(logger: Logger) async throws(ConfigurationError) -> [TokenKey] {
        do throws(AccessError) {
            let set = try await JWKSet(path: tokens.jwksFile)
            for warning in set.warnings { logger.warning("tokens.jwks_file: \(PlainText.escaped(warning))") }
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
    /// Reads the files of keys as the server does at its start. Addresses are not fetched.
    ///
    /// - Throws: ``ConfigurationError`` for a file or a key that cannot be used.
    package func checkAccess() async throws(ConfigurationError) {
        _ = try await access.policy(logger: Logger(label: "apus") { _ in SwiftLogNoOpLogHandler() })
    }
}

/// Who may come in, as the configuration says. Immutable: a reload makes another one.
package struct AccessPolicy: Sendable {
    package let keys: KeyRing
    package let tokens: TokenVerifier?
    /// What clients without a credential may do; `nil` if they have to have one.
    package let anonymous: Rights?
    /// Whether there is nothing to check.
    package let isOpen: Bool

    /// Everybody may do everything: the default.
    package static let open = AccessPolicy(keys: .empty, tokens: nil, anonymous: nil)

    /// - Parameter isOpen: `false` if clients need a credential though there is none, as with an empty file of keys.
    package init(keys: KeyRing, tokens: TokenVerifier?, anonymous: Rights?, isOpen: Bool? = nil) {
        self.keys = keys
        self.tokens = tokens
        self.anonymous = anonymous
        self.isOpen = isOpen ?? (keys.keys.isEmpty && tokens == nil && anonymous == nil)
    }

    /// What a client may do; `nil` if it may not even connect.
    package func rights(of authentication: Authentication) -> Rights? {
        switch authentication {
        case .anonymous: isOpen ? .all : anonymous
        case .principal(let principal): principal.rights
        case .refused: nil
        }
    }

    /// Who a client is that another policy admitted; `nil` if this policy would not have admitted it.
    ///
    /// A key that is gone or has another secret is not accepted any more; of a key that a certificate names, only the
    /// id counts. Nor is a token whose key, issuer or audience is not. The rights of a token are those that it brought.
    package func renewal(of principal: Principal) -> Principal? {
        switch principal.proof {
        case .key(let digest):
            guard let key = principal.id.flatMap({ keys.key(id: $0) }), key.digest == digest else { return nil }
            return Principal(key)
        case .certificate:
            return principal.id.flatMap { keys.key(id: $0) }.map { Principal(certified: $0) }
        case .token(let proof):
            return tokens.map { $0.accepts(proof) } ?? false ? principal : nil
        }
    }
}

/// Who a client turned out to be.
package enum Authentication: Hashable, Sendable {
    /// It brought no credential. Whether it may do anything is in ``AccessPolicy/rights(of:)``.
    case anonymous
    case principal(Principal)
    case refused(AccessError)
}

// MARK: - Authenticating

extension AccessPolicy {
    /// Checks credentials; fetches remote keys for tokens if they are due.
    ///
    /// - Parameter now: milliseconds since 1970, by the wall clock.
    package func authenticate(
        _ credentials: Credentials,
        revocations: Revocations,
        at now: Int64
    ) async -> Authentication {
        await authenticate(credentials, revocations: { revocations }, at: now)
    }

    /// - Parameter revocations: asked after the credential was verified, because that may take a while.
    func authenticate(
        _ credentials: Credentials,
        revocations: @Sendable () -> Revocations,
        at now: Int64
    ) async -> Authentication {
        do throws(AccessError) {
            switch try beginning(with: credentials, at: now) {
            case .decided(let principal): return Self.checked(principal, revocations())
            case .anonymous: return .anonymous
            case .token(let token, let verifier):
                return Self.checked(try await verifier.verify(token, at: now), revocations())
            }
        } catch {
            return .refused(error)
        }
    }

    /// Checks credentials at once; `nil` if remote keys may have to be fetched for them.
    package func authenticateAtOnce(
        _ credentials: Credentials,
        revocations: Revocations,
        at now: Int64
    ) -> Authentication? {
        do throws(AccessError) {
            switch try beginning(with: credentials, at: now) {
            case .decided(let principal): return Self.checked(principal, revocations)
            case .anonymous: return .anonymous
            case .token(let token, let verifier):
                return try verifier.verifyAtOnce(token, at: now).map { Self.checked($0, revocations) }
            }
        } catch {
            return .refused(error)
        }
    }

    private enum Beginning {
        case anonymous
        case decided(Principal)
        case token(String, TokenVerifier)
    }

    /// Everything that needs no verifying of tokens.
    private func beginning(with credentials: Credentials, at now: Int64) throws(AccessError) -> Beginning {
        guard !isOpen else { return .anonymous }
        switch credentials.presented {
        case nil: return .anonymous
        case .contradictory?: throw AccessError(.malformed, "there are several credentials of the same kind")
        case .certificate(let name)?:
            return try keys.key(certified: name, at: now).map { .decided(Principal(certified: $0)) } ?? .anonymous
        case .key(let text)?: return .decided(Principal(try keys.key(presented: text, at: now)))
        case .token(let text)?: return try verifying(text)
        case .either(let text)?:
            do throws(AccessError) {
                return .decided(Principal(try keys.key(presented: text, at: now)))
            } catch {
                // A text with two dots may be a token, whatever it is as a key.
                guard Self.looksLikeToken(text) else { throw error }
                return try verifying(text)
            }
        }
    }

    private func verifying(_ text: String) throws(AccessError) -> Beginning {
        guard let tokens else { throw AccessError(.unknownKey, "there are no keys for tokens") }
        return .token(text, tokens)
    }

    private static func looksLikeToken(_ text: String) -> Bool {
        text.utf8.count { $0 == UInt8(ascii: ".") } == 2
    }

    private static func checked(_ principal: Principal, _ revocations: Revocations) -> Authentication {
        guard !revocations.isRevoked(principal) else {
            return .refused(AccessError(.revoked, "the credential was revoked"))
        }
        return .principal(principal)
    }
}

package import ApusProtocol

// Keys as the configuration has them: `keys: [{kid, file | secret, alg}]`.
extension TokenKey {
    /// The largest file of a key or a secret, in bytes.
    package static let maximumFileSize = 64 << 10

    /// Reads the value of `tokens.keys`, and the files that it names.
    package static func keys(in value: JSONValue) async throws(AccessError) -> [TokenKey] {
        let entries: [JSONValue]
        switch value {
        case .null: return []
        case .array(let values): entries = values
        default: throw AccessError(.file, "the keys for tokens are not a list")
        }
        guard entries.count <= TokenVerifier.maximumKeys else {
            throw AccessError(.full, "there are more than \(TokenVerifier.maximumKeys) keys for tokens")
        }
        var keys: [TokenKey] = []
        for (index, entry) in entries.enumerated() {
            do throws(AccessError) {
                keys.append(try await TokenKey(entry))
            } catch {
                throw AccessError(error.code, "key \(index + 1) for tokens: \(error.reason)")
            }
        }
        return keys
    }

    /// Reads one entry: `{kid, file | secret, alg}`.
    package init(_ entry: JSONValue) async throws(AccessError) {
        guard case .object(let members) = entry else { throw AccessError(.file, "it is not an object") }
        var texts: [String: String] = [:]
        for (name, value) in members {
            switch (name, value) {
            case ("kid", .string(let text)), ("file", .string(let text)), ("secret", .string(let text)),
                ("alg", .string(let text)):
                guard texts.updateValue(text, forKey: name) == nil else {
                    throw AccessError(.file, "it has \(name) a second time")
                }
            // A file of YAML may have a name of digits only.
            case ("kid", .number(let text)): texts[name] = text
            case ("kid", _), ("file", _), ("secret", _), ("alg", _): throw AccessError(.file, "\(name) is not a text")
            default: throw AccessError(.file, "it has a member other than kid, file, secret and alg")
            }
        }
        let kid = texts["kid"]
        guard kid.map({ (1...CompactToken.maximumKidSize).contains($0.utf8.count) }) ?? true else {
            throw AccessError(.file, "its kid does not have 1 to \(CompactToken.maximumKidSize) bytes")
        }
        guard let name = texts["alg"], let algorithm = TokenAlgorithm(rawValue: name) else {
            let known = TokenAlgorithm.allCases.map(\.rawValue).joined(separator: ", ")
            throw AccessError(.file, "its alg is none of \(known)")
        }
        switch (texts["file"], texts["secret"]) {
        case (let path?, nil): try await self.init(kid: kid, algorithm: algorithm, path: path)
        case (nil, let secret?): try await self.init(kid: kid, algorithm: algorithm, secret: Array(secret.utf8))
        case (nil, nil), (_?, _?): throw AccessError(.file, "it needs either file or secret")
        }
    }

    /// Reads a file with a key in PEM, or with a secret if the algorithm needs one. One line feed at the end of a
    /// secret is not part of it: editors add it.
    package init(kid: String?, algorithm: TokenAlgorithm, path: String) async throws(AccessError) {
        var text = try StructuredFile.text(of: path, limit: Self.maximumFileSize)
        guard algorithm.isSymmetric else {
            try await self.init(kid: kid, algorithm: algorithm, pem: text)
            return
        }
        // As a `Character`, CR LF is one.
        if text.last?.isNewline == true { text.removeLast() }
        try await self.init(kid: kid, algorithm: algorithm, secret: Array(text.utf8))
    }
}

extension JWKSet {
    /// Reads a file of JWKs.
    package init(path: String) async throws(AccessError) {
        try await self.init(json: StructuredFile.text(of: path, limit: Self.maximumSize))
    }
}

package import ApusProtocol

/// An API key as the server knows it: by its digest, without its secret.
package struct APIKey: Sendable, Hashable {
    /// The longest id in a file, in bytes; those that Apus makes are shorter.
    package static let maximumIDSize = 64
    /// The longest label, in bytes.
    package static let maximumLabelSize = 256

    package let id: String
    package let digest: KeyDigest
    package let rules: RuleList
    /// The rules as they read for this key's id.
    package let rights: Rights
    package let label: String?
    /// From when on it is refused, in milliseconds since 1970; `nil` for never.
    package let expires: Int64?

    package init(id: String, digest: KeyDigest, rules: RuleList, label: String? = nil, expires: Int64? = nil) {
        self.id = id
        self.digest = digest
        self.rules = rules
        self.label = label
        self.expires = expires
        rights = Rights(rules, subject: id)
    }

    /// A key in the old form, a text of `api_keys`: it may do everything, for ever.
    ///
    /// It has no id of its own. The one it gets tells nothing of the key, not even to who tries out weak ones, because
    /// each start of the program makes other ones.
    package init(old key: String) throws(AccessError) {
        guard KeyForm.read(key) != .mistyped else {
            throw AccessError(.mistyped, "an API key has the wrong checksum: it is mistyped or cut")
        }
        let salted = KeyDigest(of: Self.salt + key).hex
        self.init(id: "key-" + salted.prefix(12), digest: KeyDigest(of: key), rules: .all)
    }

    private static let salt = (0..<4).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }.joined(
        separator: "."
    )

    package func isExpired(at now: Int64) -> Bool {
        expires.map { now >= $0 } ?? false
    }
}

// MARK: - Reading

extension APIKey {
    /// Reads an entry of `keys`: `{id, key_sha256 | key, rights, label, expires}`.
    ///
    /// Any other member is an error: a key whose `expires` is misspelled would never expire.
    package init(_ entry: JSONValue) throws(AccessError) {
        guard case .object(let members) = entry else { throw AccessError(.file, "it is not an object") }
        var texts: [String: String] = [:]
        var rules = RuleList.none
        for (name, value) in members {
            switch name {
            case "rights": rules = RuleList(value)
            case "id", "key", "key_sha256", "label", "expires":
                switch value {
                case .null where name == "label" || name == "expires": break
                case .string(let text): texts[name] = text
                // A file of YAML may have an id of digits only.
                case .number(let text) where name == "id" || name == "label": texts[name] = text
                default: throw AccessError(.file, "\(name) is not a text")
                }
            default:
                throw AccessError(.file, "it has a member other than id, key, key_sha256, rights, label and expires")
            }
        }
        guard let id = texts["id"], Self.isID(id) else {
            throw AccessError(.file, "its id is not 1 to \(Self.maximumIDSize) letters, digits, - and _")
        }
        guard texts["label"].map({ $0.utf8.count <= Self.maximumLabelSize }) ?? true else {
            throw AccessError(.file, "its label is longer than \(Self.maximumLabelSize) bytes")
        }
        let expires: Int64?
        if let text = texts["expires"] {
            guard let moment = Timestamp.milliseconds(rfc3339: text) else {
                throw AccessError(.file, "expires is not a time such as 2027-01-31T00:00:00Z")
            }
            expires = moment
        } else {
            expires = nil
        }
        self.init(
            id: id,
            digest: try Self.digest(key: texts["key"], hex: texts["key_sha256"], id: id),
            rules: rules,
            label: texts["label"],
            expires: expires
        )
    }

    private static func digest(key: String?, hex: String?, id: String) throws(AccessError) -> KeyDigest {
        switch (key, hex) {
        case (nil, let hex?):
            guard let digest = KeyDigest(hex: hex) else {
                throw AccessError(.file, "key_sha256 is not 64 hexadecimal digits")
            }
            return digest
        case (let key?, nil):
            switch KeyForm.read(key) {
            case .mistyped: throw AccessError(.mistyped, "its key has the wrong checksum: it is mistyped or cut")
            case .key(let other) where other != id: throw AccessError(.file, "its key belongs to another id")
            case .key, .foreign: break
            }
            guard !key.isEmpty else { throw AccessError(.file, "its key is empty") }
            return KeyDigest(of: key)
        case (nil, nil), (_?, _?): throw AccessError(.file, "it needs either key_sha256 or key")
        }
    }

    /// Whether a file may have that id. A dot or a wildcard would make `{sub}` match nothing, so there is none.
    package static func isID(_ text: String) -> Bool {
        (1...maximumIDSize).contains(text.utf8.count)
            && text.unicodeScalars.allSatisfy { scalar in
                scalar.isASCII && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
                    || scalar == "-" || scalar == "_"
            }
    }
}

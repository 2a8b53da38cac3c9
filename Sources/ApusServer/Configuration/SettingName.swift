/// Compares names, tolerating typing errors.
enum SettingName {
    /// How many bytes may differ.
    private static let tolerance = 2

    /// A normalized name: names that differ only in case and in the kind of dash are equal.
    static func uniform(_ name: some StringProtocol) -> String {
        String(name.lowercased().map { $0 == "-" ? "_" : $0 })
    }

    /// The name in `names` that `name` is most likely a misspelling of.
    static func nearest(to name: String, among names: [String]) -> String? {
        let word = uniform(name)
        // Skip names whose length differs by more than the tolerance.
        let candidates = names.filter { abs($0.utf8.count - word.utf8.count) <= tolerance }
        let distances = candidates.map { (name: $0, distance: distance(word, uniform($0))) }
        return distances.filter { $0.distance <= tolerance }.min { $0.distance < $1.distance }?.name
    }

    /// How many bytes must be inserted, deleted or replaced to turn one word into the other (Levenshtein distance).
    private static func distance(_ first: String, _ second: String) -> Int {
        let second = Array(second.utf8)
        var row = Array(0...second.count)
        for (index, letter) in first.utf8.enumerated() {
            var diagonal = row[0]
            row[0] = index + 1
            for column in second.indices {
                let exchanged = diagonal + (letter == second[column] ? 0 : 1)
                diagonal = row[column + 1]
                row[column + 1] = min(exchanged, diagonal + 1, row[column] + 1)
            }
        }
        return row[second.count]
    }

    // MARK: Security settings

    /// What a security setting protects.
    enum Protection: String {
        case secret
        case limit
    }

    private static let secretWords: Set = [
        "key", "keys", "apikey", "apikeys", "token", "tokens", "secret", "secrets", "password", "passwords", "passwd",
        "passphrase", "credential", "credentials", "auth", "jwt", "jwks", "tls", "ssl", "cert", "certificate", "acl",
        "rights",
        "anonymous", "deny", "allow", "allowed", "trusted",
    ]
    private static let limitWords: Set = [
        "max", "maximum", "limit", "limits", "rate", "quota", "burst", "timeout",
    ]

    /// What an unknown name may have been meant to protect; `nil` if it is harmless.
    ///
    /// If the server ignored such a setting, it would be open when it should be closed. A word may have one wrong
    /// letter.
    static func protection(by name: some StringProtocol) -> Protection? {
        let words = uniform(name).split { !$0.isLetter && !$0.isNumber }.map(String.init)
        if words.contains(where: { isLike($0, anyOf: secretWords) }) { return .secret }
        return words.contains { isLike($0, anyOf: limitWords) } ? .limit : nil
    }

    private static func isLike(_ word: String, anyOf known: Set<String>) -> Bool {
        if known.contains(word) { return true }
        // Short words match too many other words with one letter changed.
        return known.contains { other in
            min(word.utf8.count, other.utf8.count) >= 5 && abs(word.utf8.count - other.utf8.count) <= 1
                && distance(word, other) == 1
        }
    }
}

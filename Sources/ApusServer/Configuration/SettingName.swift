/// Names that are compared though somebody has mistyped them.
enum SettingName {
    /// How many bytes may be off.
    private static let tolerance = 2

    /// The same for names that differ in nothing but the case and the kind of dash.
    static func uniform(_ name: some StringProtocol) -> String {
        String(name.lowercased().map { $0 == "-" ? "_" : $0 })
    }

    /// The one of these names that somebody may have meant by `name`.
    static func nearest(to name: String, among names: [String]) -> String? {
        let word = uniform(name)
        // What differs more in length is not looked at.
        let candidates = names.filter { abs($0.utf8.count - word.utf8.count) <= tolerance }
        let distances = candidates.map { (name: $0, distance: distance(word, uniform($0))) }
        return distances.filter { $0.distance <= tolerance }.min { $0.distance < $1.distance }?.name
    }

    /// How many bytes have to be put in, left out or exchanged to get from one word to the other (Levenshtein).
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

    // MARK: What a name is about

    /// What a setting that protects the server is about.
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

    /// What a name that no setting has may have been meant to be; nil for one that nothing hangs on.
    ///
    /// A server that starts as if it were not there would be open where it was to be closed. A word may have a letter
    /// wrong.
    static func protection(by name: some StringProtocol) -> Protection? {
        let words = uniform(name).split { !$0.isLetter && !$0.isNumber }.map(String.init)
        if words.contains(where: { isLike($0, anyOf: secretWords) }) { return .secret }
        return words.contains { isLike($0, anyOf: limitWords) } ? .limit : nil
    }

    private static func isLike(_ word: String, anyOf known: Set<String>) -> Bool {
        if known.contains(word) { return true }
        // Of short words too many others are one letter off.
        return known.contains { other in
            min(word.utf8.count, other.utf8.count) >= 5 && abs(word.utf8.count - other.utf8.count) <= 1
                && distance(word, other) == 1
        }
    }
}

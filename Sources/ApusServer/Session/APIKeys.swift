/// The API keys that the server accepts. Without keys, everybody has access.
struct APIKeys: Sendable {
    private let keys: [[UInt8]]

    init(_ keys: [String]) {
        self.keys = keys.map { Array($0.utf8) }
    }

    var areRequired: Bool { !keys.isEmpty }

    /// Whether `candidate` is one of the keys. The time depends only on the candidate's length, so nobody can guess a
    /// key byte by byte by timing refusals.
    func contains(_ candidate: String) -> Bool {
        let candidate = Array(candidate.utf8)
        var found = false
        for key in keys {
            var difference = key.count ^ candidate.count
            for (index, byte) in candidate.enumerated() {
                difference |= Int(byte ^ (index < key.count ? key[index] : 0))
            }
            found = found || difference == 0
        }
        return found
    }
}

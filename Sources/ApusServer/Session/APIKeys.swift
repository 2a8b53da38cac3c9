/// The keys that open the server; none: it is open to everybody.
struct APIKeys: Sendable {
    private let keys: [[UInt8]]

    init(_ keys: [String]) {
        self.keys = keys.map { Array($0.utf8) }
    }

    var areRequired: Bool { !keys.isEmpty }

    /// Whether `candidate` is one of the keys. Takes the same time for every candidate of one length, so that a key
    /// cannot be guessed byte by byte from how long a refusal takes.
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

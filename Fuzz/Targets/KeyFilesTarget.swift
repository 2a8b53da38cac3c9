import ApusProtocol

@testable import ApusAccess

extension FuzzTarget {
    /// A byte that says which: a file of API keys in YAML or in JSON, a JWK set, or a key in PEM for the algorithm that
    /// the next byte says.
    static let keyFiles = FuzzTarget(name: "KeyFiles") {
        { bytes in
            var input = FuzzInput(bytes)
            switch input.byte() % 4 {
            case 0: try KeyFilesCheck.checkFile(input.text, isJSON: false)
            case 1: try KeyFilesCheck.checkFile(input.text, isJSON: true)
            case 2: try KeyFilesCheck.checkSet(input.text)
            default:
                let algorithm = TokenAlgorithm.allCases[Int(input.byte()) % TokenAlgorithm.allCases.count]
                try KeyFilesCheck.checkPEM(input.text, algorithm)
            }
        }
    }
}

private enum KeyFilesCheck {
    /// The result of reading; `nil` for an error, which must be a clause that fits into a log.
    private static func read<Value>(_ body: () throws(AccessError) -> Value) throws -> Value? {
        do throws(AccessError) {
            return try body()
        } catch {
            try require(!error.reason.isEmpty, "an error has a reason")
            try require(!error.reason.contains(where: \.isNewline), "a reason is one line")
            return nil
        }
    }

    // MARK: API keys

    static func checkFile(_ text: String, isJSON: Bool) throws {
        guard let file = try read({ () throws(AccessError) in try KeysFile(text: text, isJSON: isJSON) }) else {
            return
        }
        for key in file.keys { try checkKey(key) }
        guard let ring = try read({ () throws(AccessError) in try KeyRing(file.keys) }) else { return }
        for key in file.keys { try require(ring.key(id: key.id) == key, "a key is found by its id") }
        try require(ring.changes(to: ring).values.allSatisfy { $0 == .unchanged }, "a ring is as itself")
        try checkChanges(of: file)
    }

    private static func checkKey(_ key: APIKey) throws {
        try require(APIKey.isID(key.id), "an id is one")
        try require((key.label?.utf8.count ?? 0) <= APIKey.maximumLabelSize, "a label keeps its limit")
        let entry = JSONValue(KeysFile.entry(key))
        guard let entry else { throw Broken(invariant: "a printed key is JSON") }
        let again = try read { () throws(AccessError) in try APIKey(entry) }
        // A malformed rule is left out of what is printed, and with it its number.
        guard key.rules.warnings.isEmpty else { return }
        try require(again?.rights == key.rights, "a printed key has the same rights")
        try require(again?.digest == key.digest && again?.id == key.id, "a printed key is the same key")
        try require(again?.label == key.label && again?.expires == key.expires, "a printed key is as it was")
    }

    private static func checkChanges(of file: KeysFile) throws {
        let new = APIKey(id: "n-e-w", digest: KeyDigest(of: "new"), rules: .all, label: "it's\nnew")
        var longer = file
        if !file.keys.contains(where: { $0.id == new.id || $0.digest == new.digest }),
            try read({ () throws(AccessError) in try longer.add(new) }) != nil
        {
            try require(longer.keys == file.keys + [new], "a new key comes to the others")
            let isGone = try read { () throws(AccessError) in try longer.remove(id: new.id) }
            try require(isGone != false, "a key that was added is there")
            if isGone == true { try require(longer.keys == file.keys, "a key comes and goes without a trace") }
        }
        for key in file.keys.prefix(3) {
            var shorter = file
            guard try read({ () throws(AccessError) in try shorter.remove(id: key.id) }) == true else { continue }
            try require(shorter.keys == file.keys.filter { $0.id != key.id }, "a key goes, and no other")
        }
    }

    // MARK: Keys for tokens

    static func checkSet(_ text: String) throws {
        let set = try read { () throws(AccessError) in try readSet(text) }
        guard let set else { return }
        try require(1...JWKSet.maximumKeys ~= set.keys.count, "a set keeps its limit")
        for key in set.keys {
            try require(!key.canSign && !key.algorithm.isSymmetric, "a set has public keys only")
            try require(!key.verifies([], of: Array("x".utf8)), "a key verifies no empty signature")
        }
        try require(set.warnings.allSatisfy { !$0.contains(where: \.isNewline) }, "a warning is one line")
    }

    private static func readSet(_ text: String) throws(AccessError) -> JWKSet {
        do {
            return try wait(for: { try await JWKSet(json: text) })
        } catch {
            throw error as? AccessError ?? AccessError(.file, "\(error)")
        }
    }

    static func checkPEM(_ text: String, _ algorithm: TokenAlgorithm) throws {
        let key = try read { () throws(AccessError) in
            do {
                return try wait(for: { try await TokenKey(kid: nil, algorithm: algorithm, pem: text) })
            } catch {
                throw error as? AccessError ?? AccessError(.file, "\(error)")
            }
        }
        guard let key else { return }
        try require(key.algorithm == algorithm && !algorithm.isSymmetric, "a key in PEM is for its algorithm")
        guard key.canSign else { return }
        guard let token = try read({ () throws(AccessError) in try key.sign(claims: "{}") }) else { return }
        let parts = token.split(separator: ".")
        let signature = Base64URL.decode(parts[2]) ?? []
        let signed = Array((parts[0] + "." + parts[1]).utf8)
        try require(key.verifies(signature, of: signed), "a key verifies what it signed")
    }
}

import ApusProtocol

/// Writes random JSON, and breaks it.
struct RandomJSON {
    var generator: SplitMix64

    init(seed: UInt64) { self.generator = SplitMix64(seed: seed) }

    mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &generator)]
    }

    mutating func space() -> String { chance(80) ? "" : pick([" ", "\n", "\t", "\r\n", "  \t "]) }

    mutating func value(depth: Int = 4) -> String {
        let kind = Int.random(in: 0..<(depth > 0 ? 9 : 6), using: &generator)
        return switch kind {
        case 0: pick(["true", "false", "null"])
        case 1, 2: number()
        case 3, 4, 5: string()
        case 6: list(depth: depth, brackets: ("[", "]")) { json in json.value(depth: depth - 1) }
        default: object(depth: depth)
        }
    }

    mutating func object(depth: Int = 4) -> String {
        list(depth: depth, brackets: ("{", "}")) { json in
            json.key() + json.space() + ":" + json.space() + json.value(depth: depth - 1)
        }
    }

    private mutating func list(
        depth: Int,
        brackets: (String, String),
        element: (inout RandomJSON) -> String
    ) -> String {
        let count = Int.random(in: 0...4, using: &generator)
        var text = brackets.0 + space()
        for index in 0..<count {
            text += (index > 0 ? "," : "") + space() + element(&self) + space()
        }
        return text + brackets.1
    }

    /// Often one that a command has.
    mutating func key() -> String {
        chance(50)
            ? pick(
                ["type", "topic", "message", "id", "payload", "request_id", "last_n", "client_id"].map { "\"\($0)\"" }
            )
            : string()
    }

    mutating func number() -> String {
        var text = chance(30) ? "-" : ""
        text += chance(20) ? "0" : String(Int.random(in: 1...999_999, using: &generator))
        if chance(30) { text += "." + String(Int.random(in: 0...9999, using: &generator)) }
        // Foundation refuses what overflows a double, so exponents stay small.
        if chance(20) {
            text += pick(["e", "E"]) + pick(["", "+", "-"]) + String(Int.random(in: 0...20, using: &generator))
        }
        return text
    }

    /// A string of any scalars, some escaped; surrogates only in pairs.
    mutating func string() -> String {
        var text = "\""
        for _ in 0..<Int.random(in: 0...(chance(10) ? 60 : 12), using: &generator) {
            text += character()
        }
        return text + "\""
    }

    private mutating func character() -> String {
        switch Int.random(in: 0..<12, using: &generator) {
        case 0: return pick(["\\n", "\\t", "\\\"", "\\\\", "\\/", "\\b", "\\f", "\\r"])
        case 1: return pick(["\\u0041", "\\u00e9", "\\u20AC", "\\uD83D\\ude00", "\\u0000", "\\uFFFF"])
        case 2: return pick(["é", "€", "😀", "\u{7F}", "\u{2028}", "\u{10FFFF}"])
        default: return pick(["a", "b", "c", "Z", "0", " ", "{", "]", ":", ",", "'", "~"])
        }
    }

    /// One to three small damages.
    mutating func mutate(_ original: [UInt8]) -> [UInt8] {
        var bytes = original
        for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
            let index = Int.random(in: bytes.indices, using: &generator)
            switch Int.random(in: 0..<6, using: &generator) {
            case 0: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 1: bytes[index] = UInt8.random(in: 0...255, using: &generator)
            case 2: bytes.removeLast(bytes.count - index)
            case 3: bytes.remove(at: index)
            case 4: bytes.insert(pick(Array("{}[]\",:\\0-.eE+ tfn\u{0}\u{1F}".utf8)), at: index)
            default: bytes.swapAt(index, Int.random(in: bytes.indices, using: &generator))
            }
        }
        return bytes
    }
}

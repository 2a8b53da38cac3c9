/// Names a pack for ever. It is also the pack's `Nats-Msg-Id`.
///
/// A pack that is sent again has the same id, so that JetStream takes only one of the copies. A pack with other
/// contents or another place has another id.
package struct PackID: Hashable, Sendable, CustomStringConvertible {
    /// Drawn at random by each process.
    package let node: UInt64
    package let number: UInt64

    package init(node: UInt64, number: UInt64) {
        self.node = node
        self.number = number
    }

    /// 32 lower-case hexadecimal digits.
    package var description: String { Self.hex(node) + Self.hex(number) }

    package init?(_ text: some StringProtocol) {
        guard text.utf8.count == 32, let node = UInt64(text.prefix(16), radix: 16),
            let number = UInt64(text.dropFirst(16), radix: 16)
        else { return nil }
        self.init(node: node, number: number)
        // Signs and capitals would be another way to write it.
        guard description == text else { return nil }
    }

    /// Few enough bits to be told to others, and enough to tell ids apart.
    var digest: UInt64 { node ^ (number &* 0x9E37_79B9_7F4A_7C15) }

    private static func hex(_ number: UInt64) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

/// The ids of the packs that a process makes.
struct PackIDs: Sendable {
    let node: UInt64
    private var number: UInt64 = 0

    init(node: UInt64) { self.node = node }

    mutating func next() -> PackID {
        number += 1
        return PackID(node: node, number: number)
    }
}

/// One of the cluster's JetStream streams.
///
/// There are nine: the registry, which says which topics there are, and eight for their packs.
package struct ClusterStream: Hashable, Sendable, CustomStringConvertible {
    /// So many streams share the topics. Fixed for ever: a topic's stream follows from its name.
    package static let topicStreams = 8
    package static let registry = ClusterStream(number: topicStreams)
    package static let all = (0...topicStreams).map { ClusterStream(number: $0) }

    /// 0 to 7, or 8 for the registry.
    package let number: Int

    private init(number: Int) { self.number = number }

    /// The stream of a topic's packs.
    package init(ofTopic name: String) {
        number = Int(Self.hash(name) % UInt64(Self.topicStreams))
    }

    /// FNV-1a with 64 bits over the UTF-8 of the name. Fixed for ever.
    package static func hash(_ name: String) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return hash
    }

    package var isRegistry: Bool { self == .registry }

    package var description: String { isRegistry ? "registry" : "\(number)" }
}

/// The names of streams and subjects in one cluster.
///
/// ```
/// stream apus_3          apus.3.<base64url of the topic's name>      apus.3._          barriers
/// stream apus_registry   apus.registry.<base64url of the name>       apus.registry._
/// no stream              apus.peers
/// ```
/// No topic can be `_`: one character alone is not base64url of anything.
package struct ClusterNames: Sendable, Equatable {
    /// Letters, digits, `-` and `_`: what is allowed in names of streams and in a token of a subject.
    package let prefix: String

    /// - Returns: `nil` unless the prefix is 1 to 32 letters, digits, `-` or `_`.
    package init?(prefix: String = "apus") {
        guard (1...32).contains(prefix.utf8.count), prefix.utf8.allSatisfy(Base64URL.isDigit) else { return nil }
        self.prefix = prefix
    }

    package func stream(_ stream: ClusterStream) -> String {
        "\(prefix)_\(stream)"
    }

    /// All subjects of a stream.
    package func subjects(of stream: ClusterStream) -> String { "\(prefix).\(stream).*" }

    package func subject(ofTopic name: String) -> String {
        "\(prefix).\(ClusterStream(ofTopic: name)).\(Base64URL.encode(name))"
    }

    package func registrySubject(ofTopic name: String) -> String {
        "\(prefix).\(ClusterStream.registry).\(Base64URL.encode(name))"
    }

    func noteSubject(of key: String) -> String { "\(prefix).\(ClusterStream.registry).~\(Base64URL.encode(key))" }

    /// The key of the note that a subject of the registry is for; `nil` if it is for none.
    func note(ofSubject subject: String) -> String? {
        let start = "\(prefix).\(ClusterStream.registry).~"
        guard subject.hasPrefix(start), let key = Base64URL.decode(subject.utf8.dropFirst(start.utf8.count)),
            (1...RegistryNote.longestKey).contains(key.utf8.count)
        else { return nil }
        return key
    }

    package func barrierSubject(of stream: ClusterStream) -> String { "\(prefix).\(stream)._" }

    /// Where nodes tell each other what is not kept. No stream has it: theirs have three tokens.
    package var peersSubject: String { "\(prefix).peers" }

    /// The topic that a subject of a stream is for.
    ///
    /// - Returns: `nil` for barriers, and for what is no topic's subject in that stream.
    package func topic(ofSubject subject: String, in stream: ClusterStream) -> String? {
        let start = "\(prefix).\(stream)."
        guard subject.hasPrefix(start), let name = Base64URL.decode(subject.utf8.dropFirst(start.utf8.count)),
            (1...255).contains(name.utf8.count), stream.isRegistry || ClusterStream(ofTopic: name) == stream
        else { return nil }
        return name
    }
}

/// RFC 4648, section 5, without padding.
enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    static func isDigit(_ byte: UInt8) -> Bool { value(of: byte) != nil }

    static func encode(_ text: String) -> String {
        var digits: [UInt8] = []
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for byte in text.utf8 {
            bits = (bits & 0xFF) << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                digits.append(alphabet[Int(bits >> count & 63)])
            }
        }
        if count > 0 { digits.append(alphabet[Int(bits << (6 - count) & 63)]) }
        return String(decoding: digits, as: UTF8.self)
    }

    /// - Returns: `nil` unless this is what ``encode(_:)`` makes of a text.
    static func decode(_ digits: some Sequence<UInt8>) -> String? {
        var bytes: [UInt8] = []
        var (bits, count): (UInt32, UInt32) = (0, 0)
        for digit in digits {
            guard let value = value(of: digit) else { return nil }
            bits = (bits & 0xFF) << 6 | value
            count += 6
            if count >= 8 {
                count -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> count))
            }
        }
        // Two digits too few, or bits that the last byte has no room for, are another way to write the same.
        guard count < 6, bits & (1 << count - 1) == 0, let text = String(validating: bytes, as: UTF8.self) else {
            return nil
        }
        return text
    }

    private static func value(of byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte - UInt8(ascii: "A"))
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte - UInt8(ascii: "a")) + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0")) + 52
        case UInt8(ascii: "-"): 62
        case UInt8(ascii: "_"): 63
        default: nil
        }
    }
}

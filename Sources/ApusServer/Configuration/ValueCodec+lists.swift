import ApusBroker
import ApusProtocol

extension ValueCodec where Value == [ListenAddress] {
    /// A list of addresses to listen at.
    static var addresses: ValueCodec {
        ValueCodec(
            valueName: "address",
            isList: true,
            read: { raw throws(ValueFault) in
                let addresses = raw.elements.map { ListenAddress($0.trimmed) }
                // Port 0 may occur more than once.
                let fixed = addresses.compactMap(\.self).filter { $0.port != 0 }
                guard addresses.count <= ListenAddress.maximumCount, !addresses.contains(nil),
                    Set(fixed).count == fixed.count
                else {
                    throw ValueFault(
                        reason: """
                            is not a list of at most \(ListenAddress.maximumCount) addresses, each of them once, such \
                            as 127.0.0.1:8080, [::1]:8080 or unix:/run/apus.sock
                            """
                    )
                }
                return addresses.compactMap(\.self)
            },
            show: { .texts($0.map(\.description)) }
        )
    }
}

extension ValueCodec where Value == [String] {
    /// The list of API keys. It is secret.
    static var keys: ValueCodec {
        ValueCodec(
            valueName: "key",
            isSecret: true,
            isList: true,
            read: { raw throws(ValueFault) in
                let keys = raw.elements
                // An empty key in the list is a mistake that would admit every client without a key.
                if keys.contains("") { throw ValueFault(reason: "has an empty key") }
                if keys.contains(DisplayValue.mask) {
                    throw ValueFault(reason: "is what `config print` shows in place of the keys")
                }
                let isPlain = keys.allSatisfy {
                    $0.utf8.count <= 1024 && $0.utf8.allSatisfy { (0x21...0x7E).contains($0) }
                }
                // A header field cannot carry other characters (RFC 9110 section 5.5).
                guard isPlain else {
                    throw ValueFault(reason: "has a key that is not up to 1024 visible ASCII characters without spaces")
                }
                return keys
            },
            show: { .texts($0) }
        )
    }
}

extension ValueCodec {
    /// Several words from a fixed set, in any order.
    static func words<Word>(_ valueName: String) -> ValueCodec
    where Value == Set<Word>, Word: RawRepresentable<String> & CaseIterable & Hashable & Sendable {
        ValueCodec(
            valueName: valueName,
            read: { raw throws(ValueFault) in
                let words = raw.elements.map { $0.trimmed.lowercased() }
                let values = words.compactMap { Word(rawValue: $0) }
                switch words {
                case [], ["none"]: return []
                case ["both"]: return Set(Word.allCases)
                case _ where values.count == words.count: return Set(values)
                default:
                    let names = Word.allCases.map(\.rawValue).joined(separator: ", ")
                    throw ValueFault(reason: "is not \(names), both, or none")
                }
            },
            show: { words in .texts(Word.allCases.filter(words.contains).map(\.rawValue)) }
        )
    }
}

extension ValueCodec where Value == [TopicDeclaration] {
    /// The list of topics. A file may write it as a list of mappings; all other sources write it as JSON.
    static func topics(maxQueue: Int) -> ValueCodec {
        ValueCodec(
            valueName: "json",
            isStructured: true,
            read: { raw throws(ValueFault) in
                guard case .text(let text) = raw else { throw ValueFault(reason: "is not a list of topics") }
                switch TopicDeclaration.readList(text, maxQueue: maxQueue, isAllowed: TopicName.isAllowed) {
                case .success(let topics): return topics
                case .failure(let error):
                    throw ValueFault(reason: "is not a list of topics: " + PlainText.escaped(error.message))
                }
            },
            show: { .json("[" + $0.map(\.json).joined(separator: ", ") + "]") }
        )
    }
}

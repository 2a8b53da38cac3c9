/// The permessage-deflate parameters that client and server have agreed on (RFC 7692 section 7.1).
package struct PermessageDeflate: Sendable, Equatable {
    package static let token = "permessage-deflate"

    /// The window that the server compresses with.
    package let window: DeflateWindow
    /// The parameter `server_max_window_bits` of the answer. Present only if the client asked for it.
    let serverWindowBits: Int?

    /// The value of `Sec-WebSocket-Extensions` in the answer.
    ///
    /// Neither side refers to earlier messages: the server compresses a message once for all clients, and need not keep
    /// the client's messages. Both parameters may be in the answer without being in the offer (sections 7.1.1.1 and
    /// 7.1.1.2).
    package var answer: String {
        let bits = serverWindowBits.map { "; server_max_window_bits=\($0)" } ?? ""
        return "\(Self.token); server_no_context_takeover; client_no_context_takeover\(bits)"
    }

    /// Accepts the first acceptable offer of a client (RFC 6455 section 9.1); `nil` when there is none.
    ///
    /// - Parameter header: the value of `Sec-WebSocket-Extensions`; several values joined with commas. If it violates
    ///   the grammar of the RFC, the connection does without the extension.
    package init?(offers header: some StringProtocol) {
        guard let extensions = ExtensionList.parse(header) else { return nil }
        for offer in extensions where offer.name == Self.token {
            guard let accepted = Self(offer.parameters) else { continue }
            self = accepted
            return
        }
        return nil
    }

    /// Declines an offer with a duplicate or unknown parameter, or with an invalid value, as section 7.1 requires.
    private init?(_ parameters: [ExtensionList.Parameter]) {
        guard Set(parameters.map(\.name)).count == parameters.count else { return nil }
        var serverBits: Int?
        for parameter in parameters {
            switch (parameter.name, parameter.value) {
            case ("server_no_context_takeover", nil), ("client_no_context_takeover", nil),
                // The client may choose its own window: the server can read the largest.
                ("client_max_window_bits", nil):
                break
            case ("client_max_window_bits", let value?):
                guard Self.windowBits(value) != nil else { return nil }
            case ("server_max_window_bits", let value?):
                guard let bits = Self.windowBits(value) else { return nil }
                serverBits = bits
            default:
                return nil
            }
        }
        window = serverBits.map { $0 >= DeflateWindow.usual.bits ? .usual : .narrow } ?? .usual
        serverWindowBits = serverBits.map { min($0, DeflateWindow.usual.bits) }
    }

    /// 8 to 15, without leading zeros (section 7.1.2).
    private static func windowBits(_ value: String) -> Int? {
        ["8", "9", "10", "11", "12", "13", "14", "15"].contains(value) ? Int(value) : nil
    }
}

/// The grammar of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1).
enum ExtensionList {
    struct Parameter: Equatable {
        var name: String
        /// Without its quotes.
        var value: String?
    }

    struct Element: Equatable {
        var name: String
        var parameters: [Parameter]
    }

    /// Parses a header value; `nil` when it violates the grammar.
    static func parse(_ text: some StringProtocol) -> [Element]? {
        var reader = Reader(rest: Array(text.utf8)[...])
        var elements: [Element] = []
        repeat {
            // Empty list elements must be ignored (RFC 9110 section 5.6.1.2).
            reader.skipSpace()
            if reader.isAtEnd || reader.isAt(",") { continue }
            guard let element = reader.element() else { return nil }
            elements.append(element)
        } while reader.take(",")
        return reader.isAtEnd ? elements : nil
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        var isAtEnd: Bool { rest.isEmpty }

        func isAt(_ character: Unicode.Scalar) -> Bool {
            rest.first == UInt8(ascii: character)
        }

        mutating func skipSpace() {
            rest = rest.drop { $0 == 0x20 || $0 == 0x09 }
        }

        /// Consumes one character and the whitespace around it.
        mutating func take(_ character: Unicode.Scalar) -> Bool {
            skipSpace()
            guard isAt(character) else { return false }
            rest.removeFirst()
            skipSpace()
            return true
        }

        mutating func element() -> Element? {
            guard let name = token() else { return nil }
            var parameters: [Parameter] = []
            while take(";") {
                guard let name = token() else { return nil }
                var value: String?
                if take("=") {
                    guard let text = isAt("\"") ? quotedToken() : token() else { return nil }
                    value = text
                }
                parameters.append(Parameter(name: name, value: value))
            }
            return Element(name: name, parameters: parameters)
        }

        mutating func token() -> String? {
            let bytes = rest.prefix(while: Self.isTokenByte)
            guard !bytes.isEmpty else { return nil }
            rest = rest.dropFirst(bytes.count)
            return String(decoding: bytes, as: UTF8.self)
        }

        /// A quoted value must also be a token after unescaping.
        mutating func quotedToken() -> String? {
            rest.removeFirst()
            var bytes: [UInt8] = []
            while let byte = rest.popFirst() {
                switch byte {
                case UInt8(ascii: "\""):
                    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
                case UInt8(ascii: "\\"):
                    guard let escaped = rest.popFirst(), Self.isTokenByte(escaped) else { return nil }
                    bytes.append(escaped)
                default:
                    guard Self.isTokenByte(byte) else { return nil }
                    bytes.append(byte)
                }
            }
            return nil
        }

        /// `tchar` of RFC 9110 section 5.6.2.
        private static func isTokenByte(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default:
                "!#$%&'*+-.^_`|~".utf8.contains(byte)
            }
        }
    }
}

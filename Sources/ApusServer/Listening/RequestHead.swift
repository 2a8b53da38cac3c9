import ApusProtocol

/// The head of an HTTP/1.1 request as a WebSocket client sends it, parsed as far as a handshake needs.
///
/// Anything out of the ordinary is left to the HTTP server, which knows how to answer it.
struct RequestHead {
    enum ParseResult {
        /// A complete head of `size` bytes.
        case head(RequestHead, size: Int)
        /// The bytes may become a complete head.
        case incomplete
        /// The bytes need the HTTP server's parser.
        case other
    }

    let path: Substring
    let query: Substring
    /// By lower-case name. Repeated fields are joined with a comma.
    private(set) var headers: [String: String] = [:]

    /// Whether the request names its host, as every request must.
    var namesHost: Bool { headers["host"].map(HostField.isValid) ?? false }

    /// How many header fields are parsed at most.
    private static let maxHeaders = 64
    private static let method = "GET "
    private static let version = " HTTP/1.1"

    /// Parses the head at the start of `bytes` (RFC 9112 sections 3 and 5).
    static func parse(_ bytes: UnsafeRawBufferPointer) -> ParseResult {
        guard zip(bytes, method.utf8).allSatisfy(==) else { return .other }
        var lines = Lines(bytes: bytes)
        guard let requestLine = lines.next() else { return lines.isBroken ? .other : .incomplete }
        guard requestLine.count > method.utf8.count + version.utf8.count, requestLine.hasSuffix(version.utf8) else {
            return .other
        }
        let target = requestLine.dropFirst(method.utf8.count).dropLast(version.utf8.count)
        guard target.first == UInt8(ascii: "/"), target.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return .other }
        let parts = String(decoding: target, as: UTF8.self)
            .split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        var head = RequestHead(path: parts[0], query: parts.count > 1 ? parts[1] : "")
        for _ in 0...maxHeaders {
            guard let line = lines.next() else { return lines.isBroken ? .other : .incomplete }
            if line.isEmpty { return .head(head, size: lines.position) }
            guard head.add(line) else { return .other }
        }
        return .other
    }

    private init(path: Substring, query: Substring) {
        self.path = path
        self.query = query
    }

    private mutating func add(_ line: Slice<UnsafeRawBufferPointer>) -> Bool {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else { return false }
        var name: [UInt8] = []
        for byte in line[..<colon] {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): name.append(byte | 0x20)
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                name.append(byte)
            default: return false
            }
        }
        var value = line[line.index(after: colon)...]
        while let first = value.first, first.isBlank { value.removeFirst() }
        while let last = value.last, last.isBlank { value.removeLast() }
        guard value.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || $0.isBlank }) else { return false }
        let key = String(decoding: name, as: UTF8.self)
        let text = String(decoding: value, as: UTF8.self)
        // Joined to a list, a second Host field would look like part of the name.
        guard key != "host" || headers[key] == nil else { return false }
        headers[key] = headers[key].map { $0 + "," + text } ?? text
        return true
    }

    /// Iterates over lines that end with CR and LF.
    private struct Lines {
        let bytes: UnsafeRawBufferPointer
        private(set) var position = 0
        /// Whether a line has a different ending.
        private(set) var isBroken = false

        init(bytes: UnsafeRawBufferPointer) {
            self.bytes = bytes
        }

        mutating func next() -> Slice<UnsafeRawBufferPointer>? {
            guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else { return nil }
            guard end > position, bytes[end - 1] == UInt8(ascii: "\r") else {
                isBroken = true
                return nil
            }
            defer { position = end + 1 }
            return bytes[position..<(end - 1)]
        }
    }
}

extension UInt8 {
    /// A space or a tab.
    fileprivate var isBlank: Bool { self == 0x20 || self == 0x09 }
}

extension Slice<UnsafeRawBufferPointer> {
    fileprivate func hasSuffix(_ suffix: String.UTF8View) -> Bool {
        self.suffix(suffix.count).elementsEqual(suffix)
    }
}

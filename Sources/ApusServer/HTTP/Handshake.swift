import ApusAccess
import ApusProtocol
import Crypto
import Foundation
import HTTPTypes
import NIOCore

/// A checked WebSocket handshake, before the connection is upgraded (RFC 6455 section 4.2.1).
struct Handshake: Equatable {
    var dialect: Dialect
    /// Who the client is. If it is nobody yet, the first message must contain a credential.
    var identity: Identity
    /// The negotiated compression, if any.
    var deflate: PermessageDeflate?

    /// Whether the client offered the subprotocol, which the response then confirms.
    var speaksApus = false
    var caller = Caller.unknown

    static let subprotocol = "apus"

    enum Identity: Equatable {
        /// Never ``AccessControl/Admission/refused``.
        case known(AccessControl.Admission)
        /// Keys may have to be fetched before the credentials can be checked. The session waits for that.
        case unverified(Credentials)
    }

    /// Whether a comma-separated list contains a token, ignoring case.
    private static func has(token: String, _ list: String) -> Bool {
        list.split(separator: ",").contains { $0.trimmingCharacters(in: .whitespaces).lowercased() == token }
    }

    /// Whether the client offers the subprotocol. The response ignores all other offers (RFC 6455 section 4.2.2, item
    /// 4). Subprotocol names are compared byte for byte.
    private static func offersApus(_ list: String) -> Bool {
        list.split(separator: ",").contains { $0.trimmingCharacters(in: .whitespaces) == subprotocol }
    }

    /// Checks a request's headers, and accepts an offer of compression if `compresses`. `header` returns a header's
    /// values as one list, by its lower-case name. `certificateName` is that of the connection's client certificate.
    static func check(
        dialect: Dialect,
        query: Substring,
        access: AccessControl,
        compresses: Bool = false,
        certificateName: String? = nil,
        header: (String) -> String?
    ) -> Result<Handshake, Refusal> {
        guard let upgrade = header("upgrade"), has(token: "websocket", upgrade) else {
            return .failure(.notUpgrading)
        }
        guard let connection = header("connection"), has(token: "upgrade", connection) else {
            return .failure(.malformed("The Connection header does not ask for an upgrade"))
        }
        guard header("sec-websocket-version") == "13" else { return .failure(.unsupportedVersion) }
        guard let nonce = header("sec-websocket-key"), isNonce(nonce) else {
            return .failure(.malformed("Sec-WebSocket-Key is not 16 bytes in base64"))
        }
        let deflate = compresses ? header("sec-websocket-extensions").flatMap { PermessageDeflate(offers: $0) } : nil
        var handshake = Handshake(dialect: dialect, identity: .known(.open), deflate: deflate)
        handshake.speaksApus = header("sec-websocket-protocol").map(offersApus) ?? false
        guard !access.isOpen else { return .success(handshake) }
        let credentials = Credentials(
            query: query,
            isHandshake: true,
            certificateName: certificateName,
            header: header
        )
        let admission = access.admitAtOnce(credentials)
        if let admission, case .refused = admission {
            return .failure(.unauthorized(.unauthorized(admission.refusal, access.challenge)))
        }
        handshake.identity = admission.map { .known($0) } ?? .unverified(credentials)
        return .success(handshake)
    }

    /// The proof that the server understood the handshake (RFC 6455 section 4.2.2, item 5.4). SHA-1 provides no
    /// security here.
    static func accept(_ key: String) -> String {
        let digest = Insecure.SHA1.hash(data: Data((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8))
        return Data(digest).base64EncodedString()
    }

    /// The complete response to the client.
    func response(to key: String) -> ByteBuffer {
        let extensions = deflate.map { "\r\nSec-WebSocket-Extensions: \($0.answer)" } ?? ""
        let subprotocol = speaksApus ? "\r\nSec-WebSocket-Protocol: \(Self.subprotocol)" : ""
        var response = ByteBuffer()
        response.writeString(
            """
            HTTP/1.1 101 Switching Protocols\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Accept: \(Self.accept(key))\(extensions)\(subprotocol)\r
            \r

            """
        )
        return response
    }

    private static func isNonce(_ value: String) -> Bool {
        let bytes = Array(value.utf8)
        guard bytes.count == 24, bytes.suffix(2).elementsEqual("==".utf8) else { return false }
        return bytes.dropLast(2).allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "/"):
                true
            default:
                false
            }
        }
    }
}

/// Decodes percent-encoding (RFC 3986 section 2.1); `nil` when an escape is malformed or the bytes are not UTF-8.
func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
        guard byte == UInt8(ascii: "%") else {
            bytes.append(byte)
            continue
        }
        let digits = rest.prefix(2)
        guard digits.count == 2, digits.allSatisfy(\.isHexDigit),
            let value = UInt8(String(Substring(digits)), radix: 16)
        else { return nil }
        bytes.append(value)
        rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
}

extension UInt8 {
    fileprivate var isHexDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default:
            false
        }
    }
}

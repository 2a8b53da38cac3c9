import ApusProtocol
import HTTPTypes
import NIOCore

/// The encoding of a request's body (RFC 9110 section 8.4.1).
enum ContentCoding {
    case gzip
    case deflate

    /// How many encodings a body may have, one around the other.
    static let maxCodings = 4

    /// The encodings that a request's header fields name, in the order in which they were applied.
    static func list(of fields: HTTPFields) throws(Problem) -> [ContentCoding] {
        var codings: [ContentCoding] = []
        for name in (fields[.contentEncoding] ?? "").split(separator: ",") {
            switch name.trimmingBlanks.lowercased() {
            case "", "identity": continue
            case "gzip", "x-gzip": codings.append(.gzip)
            case "deflate": codings.append(.deflate)
            default: throw unsupported("Of content codings only gzip and deflate are known here")
            }
        }
        guard codings.count <= maxCodings else { throw unsupported("At most \(maxCodings) content codings are undone") }
        return codings
    }

    private static func unsupported(_ detail: String) -> Problem {
        Problem(.unsupportedEncoding, detail, headers: [(.acceptEncoding, "gzip, deflate")])
    }

    /// Decodes a body, the last encoding first.
    ///
    /// - Parameter limit: the largest output of each encoding, in bytes. A tiny body may expand to gigabytes.
    static func decode(_ body: ByteBuffer, _ codings: [ContentCoding], limit: Int) throws(Problem) -> ByteBuffer {
        var body = body
        for coding in codings.reversed() {
            do throws(Inflater.Fault) {
                body = try coding.decode(body, limit: limit)
            } catch {
                switch error {
                case .tooLarge: throw Problem(.tooLarge, "Decoded, the body is larger than \(limit) bytes")
                case .corrupt: throw Problem(.badRequest, "The body is not what its Content-Encoding says")
                }
            }
        }
        return body
    }

    private func decode(_ body: ByteBuffer, limit: Int) throws(Inflater.Fault) -> ByteBuffer {
        let inflater = Inflater(format(of: body))
        var decoded = Result<ByteBuffer, Inflater.Fault>.success(ByteBuffer())
        body.withUnsafeReadableBytes { bytes in
            decoded = Result { () throws(Inflater.Fault) in
                try inflater.withInflated(bytes, limit: limit) { ByteBuffer(bytes: $0) }
            }
        }
        return try decoded.get()
    }

    /// `deflate` is the zlib format, but some senders omit its header and checksum (RFC 9110 section 8.4.1.2).
    private func format(of body: ByteBuffer) -> Inflater.Format {
        guard self == .deflate else { return .gzip }
        guard let head = body.getInteger(at: body.readerIndex, as: UInt16.self) else { return .raw }
        return head & 0x0F00 == 0x0800 && head % 31 == 0 ? .zlib : .raw
    }
}

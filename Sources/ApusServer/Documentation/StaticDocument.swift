import ApusProtocol
import Crypto
import HTTPTypes
import Hummingbird
import NIOConcurrencyHelpers
import NIOCore

/// A document that changes only with the settings. It is sent with a validator, and compressed for clients that
/// accept it.
///
/// It is created, hashed and compressed on the first request, so an unused document takes no memory.
final class StaticDocument: Sendable {
    private struct Form {
        let body: ByteBuffer
        /// The entity tag of exactly these bytes (RFC 9110 section 8.8.3). Each form has its own.
        let tag: String
    }

    private struct Forms {
        let plain: Form
        let compressed: Form?
    }

    private let type: String
    private let headers: HTTPFields
    private let text: @Sendable () -> String
    private let forms = NIOLockedValueBox<Forms?>(nil)

    init(type: String, headers: HTTPFields = [:], text: @escaping @Sendable () -> String) {
        self.type = type
        self.headers = headers
        self.text = text
    }

    /// Has the next request create the document again.
    func forget() {
        forms.withLockedValue { $0 = nil }
    }

    func response(to request: Request) -> Response {
        let forms = forms.withLockedValue { known in
            let forms = known ?? makeForms()
            known = forms
            return forms
        }
        let compressed = AcceptEncoding(request.headers[values: .acceptEncoding]).takesGzip ? forms.compressed : nil
        let form = compressed ?? forms.plain
        var headers = headers
        headers[.eTag] = form.tag
        headers[.vary] = headers[.vary].map { $0 + ", Accept-Encoding" } ?? "Accept-Encoding"
        guard !EntityTags.match(form.tag, request.headers[values: .ifNoneMatch]) else {
            return Response(status: .notModified, headers: headers)
        }
        headers[.contentType] = type
        if compressed != nil { headers[.contentEncoding] = "gzip" }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: form.body))
    }

    private func makeForms() -> Forms {
        let bytes = Array(text().utf8)
        let digest = SHA256.hash(data: bytes).prefix(12).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
        return Forms(
            plain: Form(body: ByteBuffer(bytes: bytes), tag: "\"\(digest)\""),
            compressed: Gzip.compress(bytes).map { Form(body: ByteBuffer(bytes: $0), tag: "\"\(digest)-gzip\"") }
        )
    }
}

/// A client's `Accept-Encoding` field (RFC 9110 section 12.5.3).
struct AcceptEncoding {
    let takesGzip: Bool

    init(_ values: [String]) {
        var weights: [String: Double] = [:]
        for element in values.flatMap({ $0.split(separator: ",") }) {
            let parts = element.split(separator: ";").map { $0.trimmed.lowercased() }
            guard let coding = parts.first else { continue }
            let weight = parts.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 }
            weights[coding] = weight ?? 1
        }
        let weight = weights["gzip"] ?? weights["x-gzip"] ?? weights["*"] ?? 0
        takesGzip = weight > 0 && weight >= weights["identity"] ?? 0
    }
}

/// The list of an `If-None-Match` field (RFC 9110 section 13.1.2).
enum EntityTags {
    /// Whether one of the tags matches this tag. Weak tags count like strong ones here.
    static func match(_ tag: String, _ values: [String]) -> Bool {
        values.contains { value in
            // None of the server's tags contains a comma.
            value.split(separator: ",").map(\.trimmed).contains { $0 == "*" || $0 == tag || $0 == "W/" + tag }
        }
    }
}

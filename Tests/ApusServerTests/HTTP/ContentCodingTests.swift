import ApusProtocol
import HTTPTypes
import NIOCore
import Testing

@testable import ApusServer

@Suite struct ContentCodingTests {
    private func codings(_ values: String...) throws(Problem) -> [ContentCoding] {
        var fields = HTTPFields()
        for value in values { fields.append(HTTPField(name: .contentEncoding, value: value)) }
        return try ContentCoding.list(of: fields)
    }

    private func decode(_ bytes: [UInt8], _ codings: ContentCoding..., limit: Int = 1000) -> Result<[UInt8], Problem> {
        Result { () throws(Problem) in
            Array(try ContentCoding.decode(ByteBuffer(bytes: bytes), codings, limit: limit).readableBytesView)
        }
    }

    private func code(_ result: Result<[UInt8], Problem>) -> ErrorCode? {
        if case .failure(let problem) = result { problem.code } else { nil }
    }

    // "Hello", by Python's zlib and gzip.
    private static let raw: [UInt8] = [0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00]
    private static let zlib: [UInt8] = [0x78, 0x9C] + raw + [0x05, 0x8C, 0x01, 0xF5]
    private static let gzip: [UInt8] =
        [0x1F, 0x8B, 0x08, 0, 0, 0, 0, 0, 0, 0xFF] + raw + [0x82, 0x89, 0xD1, 0xF7, 0x05, 0, 0, 0]
    private static let hello = Array("Hello".utf8)

    @Test func `codings are read in their order, and identity is none`() throws {
        #expect(try codings() == [])
        #expect(try codings("identity") == [])
        #expect(try codings("gzip") == [.gzip])
        #expect(try codings("GZip", " x-gzip , deflate") == [.gzip, .gzip, .deflate])
        #expect(try codings(",gzip,,identity,") == [.gzip])
    }

    @Test(arguments: ["br", "gzip, br", "zstd", "compress", "*", "gzip;q=1", "gzip gzip", "gzip,gzip,gzip,gzip,gzip"])
    func `others are refused, naming those that are known`(value: String) {
        let problem = #expect(throws: Problem.self) { try codings(value) }
        #expect(problem?.code == .unsupportedEncoding)
        #expect(problem?.headers.map(\.1) == ["gzip, deflate"])
    }

    @Test func `a body is what it was before it was coded`() throws {
        #expect(try decode(Self.hello).get() == Self.hello)
        #expect(try decode(Self.gzip, .gzip).get() == Self.hello)
        #expect(try decode(Self.zlib, .deflate).get() == Self.hello)
        // Some senders take "deflate" for the data alone.
        #expect(try decode(Self.raw, .deflate).get() == Self.hello)
        #expect(try decode(Self.gzip + Self.gzip, .gzip).get() == Self.hello + Self.hello)
    }

    @Test func `codings are undone from the last to the first`() throws {
        let stored: [UInt8] = [0x01, UInt8(Self.gzip.count), 0, ~UInt8(Self.gzip.count), 0xFF] + Self.gzip
        #expect(try decode(stored, .gzip, .deflate).get() == Self.hello)
        #expect(code(decode(stored, .deflate, .gzip)) == .badRequest)
    }

    @Test func `what is not coded as it says is refused`() {
        for bytes in [
            [], Self.hello, Self.zlib, Self.raw, Array(Self.gzip.dropLast()), Self.gzip + [0], Self.gzip + Self.hello,
            Array(Self.gzip.dropLast(8)) + [0, 0, 0, 0, 5, 0, 0, 0],
        ] {
            #expect(code(decode(bytes, .gzip)) == .badRequest, "\(bytes)")
        }
        for bytes in [
            [], Self.hello, Self.gzip, Self.zlib + [0], Array(Self.zlib.dropLast()), Array(Self.raw.dropLast(2)),
            Self.raw + [0], Self.raw + Self.raw,
        ] {
            #expect(code(decode(bytes, .deflate)) == .badRequest, "\(bytes)")
        }
    }

    @Test func `a body is bounded by what it comes to, in each step`() {
        #expect(code(decode(Self.gzip, .gzip, limit: 5)) == nil)
        #expect(code(decode(Self.gzip, .gzip, limit: 4)) == .tooLarge)
        #expect(code(decode(Self.zlib, .deflate, limit: 4)) == .tooLarge)
        #expect(code(decode(Self.gzip + Self.gzip, .gzip, limit: 9)) == .tooLarge)
    }
}

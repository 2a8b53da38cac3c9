import Testing

@testable import ApusProtocol

@Suite struct TraceContextTests {
    private static let trace = "0af7651916cd43dd8448eb211c80319c"
    private static let span = "b7ad6b7169203331"
    private static let text = "00-\(trace)-\(span)-01"

    @Test func `a trace context is read and written back`() throws {
        let context = try #require(TraceContext(Self.text))
        #expect(context.traceText == Self.trace)
        #expect(context.spanText == Self.span)
        #expect(context.isSampled)
        #expect("\(context)" == Self.text)
        #expect("\(context)".utf8.count == TraceContext.textSize)
        #expect(String(decoding: context.json, as: UTF8.self) == "\"\(Self.text)\"")
        #expect(TraceContext("00-\(Self.trace)-\(Self.span)-00")?.isSampled == false)
    }

    @Test func `ids keep their leading zeros`() throws {
        let context = TraceContext(traceID: 1, spanID: 2, flags: 0)
        #expect("\(context)" == "00-00000000000000000000000000000001-0000000000000002-00")
        #expect(TraceContext("\(context)") == context)
        let largest = TraceContext(traceID: .max, spanID: .max, flags: 3)
        #expect(TraceContext("\(largest)") == largest)
    }

    @Test(arguments: [
        "", "00", "00-\(trace)-\(span)", "00-\(trace)-\(span)-1", "00-\(trace)-\(span)-011", "00-\(trace)-\(span)-01-",
        "00-\(trace)-\(span)-01-more", "ff-\(trace)-\(span)-01", "0g-\(trace)-\(span)-01", "00_\(trace)-\(span)-01",
        "00-\(trace.uppercased())-\(span)-01", "00-00000000000000000000000000000000-\(span)-01",
        "00-\(trace)-0000000000000000-01", "00-\(trace)-\(span)-0x", " \(text)", "\(text) ", "\(text), \(text)",
        "00-\(trace)\(span)-01-0000000000000000", "01-\(trace)-\(span)-01more", "00-\(trace)-\(span)-é1",
    ])
    func `what the standard does not allow is none`(text: String) {
        #expect(TraceContext(text) == nil)
    }

    @Test func `of a later version the known parts count, and of the flags those with a meaning`() throws {
        #expect(TraceContext("01-\(Self.trace)-\(Self.span)-01") == TraceContext(Self.text))
        #expect(TraceContext("fe-\(Self.trace)-\(Self.span)-01-what-comes") == TraceContext(Self.text))
        #expect(TraceContext("00-\(Self.trace)-\(Self.span)-ff")?.flags == 3)
    }
}

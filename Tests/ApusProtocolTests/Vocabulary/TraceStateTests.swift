import Testing

@testable import ApusProtocol

@Suite struct TraceStateTests {
    @Test(arguments: [
        ("rojo=00f067aa0ba902b7", "rojo=00f067aa0ba902b7"), ("a=1, b=2\t,c=3", "a=1,b=2,c=3"),
        ("a=1,,b=2, ", "a=1,b=2"), ("0tenant@sys_t-e*m/=x y", "0tenant@sys_t-e*m/=x y"), (#"a="\"#, #"a="\"#),
    ])
    func `a state is its members, without what does not count`(text: String, read: String) {
        #expect(TraceState(text)?.text == read)
    }

    @Test(arguments: [
        "", " ", ",,", "a", "=1", "a=", "A=1", "_a=1", "a=1=2", "a=é", "a=\u{7F}", "a=1\nb=2", "a b=1", "a=1,a=2",
        "a =1",
    ])
    func `what the standard does not allow is none`(text: String) {
        #expect(TraceState(text) == nil)
    }

    @Test func `parts, members and the whole have bounds`() {
        func member(key: Int, value: Int) -> String {
            String(repeating: "k", count: key) + "=" + String(repeating: "v", count: value)
        }
        #expect(TraceState(member(key: 256, value: 255)) != nil)
        #expect(TraceState(member(key: 257, value: 1)) == nil)
        #expect(TraceState(member(key: 1, value: 257)) == nil)
        #expect(TraceState(member(key: 256, value: 256)) == nil, "513 bytes")
        let members = (0..<33).map { "k\($0)=v" }
        #expect(TraceState(members.dropLast().joined(separator: ",")) != nil)
        #expect(TraceState(members.joined(separator: ",")) == nil)
    }

    @Test(arguments: [nil, "a=1", #"a="\,b=\\""#])
    func `a trace is read as it was written for events, with its state`(text: String?) throws {
        let state = try text.map { try #require(TraceState($0)) }
        let trace = TraceContext(traceID: 1, spanID: 2, flags: 3, state: state)
        #expect(trace.json.withUnsafeBytes { TraceContext(json: $0) } == trace)
        #expect(TraceContext.isJSON(trace.json) && trace.json.count <= trace.sizeBound)
        #expect(trace.next(5).state == state && trace.next(5).spanID == 5)
    }

    @Test(arguments: [
        #""x""#, "", #""00-00000000000000000000000000000001-0000000000000002-03"#,
        #""00-00000000000000000000000000000001-0000000000000002-03","ts":"x""#,
        #""00-00000000000000000000000000000001-0000000000000002-03","tracestate":"A=1""#,
        #""00-00000000000000000000000000000001-0000000000000002-03","tracestate":"a=1""#,
        #""00-00000000000000000000000000000001-0000000000000002-03","tracestate":""#,
    ])
    func `bytes that it did not write are none`(text: String) {
        #expect(TraceContext.isJSON(Array(text.utf8)) == text.hasSuffix(#""a=1""#))
    }
}

import ApusProtocol
import Testing

@Suite struct PermessageDeflateTests {
    private static let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

    @Test(arguments: [
        ("permessage-deflate", ""),
        ("permessage-deflate; server_no_context_takeover", ""),
        ("permessage-deflate; client_no_context_takeover; server_no_context_takeover", ""),
        // What browsers send.
        ("permessage-deflate; client_max_window_bits", ""),
        ("permessage-deflate; client_max_window_bits=8", ""),
        ("permessage-deflate; client_max_window_bits=15", ""),
        ("permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=12"),
        ("permessage-deflate; server_max_window_bits=12; client_max_window_bits=12", "; server_max_window_bits=12"),
        ("permessage-deflate; server_max_window_bits=11", "; server_max_window_bits=11"),
        ("permessage-deflate; server_max_window_bits=8", "; server_max_window_bits=8"),
        (#"permessage-deflate; server_max_window_bits="10""#, "; server_max_window_bits=10"),
        (#"permessage-deflate; server_max_window_bits="1\0""#, "; server_max_window_bits=10"),
        ("permessage-deflate;server_max_window_bits=9;client_max_window_bits", "; server_max_window_bits=9"),
        (" permessage-deflate\t;  server_max_window_bits = 10 ", "; server_max_window_bits=10"),
        (",, permessage-deflate ,", ""),
    ])
    func `an offer is taken with what the client can`(offer: String, bits: String) {
        #expect(PermessageDeflate(offers: offer)?.answer == Self.plain + bits)
    }

    @Test(arguments: [
        "permessage-deflate; server_max_window_bits=7", "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=012", "permessage-deflate; server_max_window_bits=+9",
        "permessage-deflate; server_max_window_bits=x", "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=99999999999999999999",
        "permessage-deflate; client_max_window_bits=7", "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; server_no_context_takeover=1", "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=9",
        "permessage-deflate; server_max_window_bits=9; server_max_window_bits=9",
        "permessage-deflate; unknown", "permessage-deflate; unknown=1",
        "permessage-deflate; Server_No_Context_Takeover",
    ])
    func `an offer that asks for what there is not is declined, and the next one is looked at`(offer: String) {
        #expect(PermessageDeflate(offers: offer) == nil)
        #expect(PermessageDeflate(offers: "\(offer), permessage-deflate")?.answer == Self.plain)
        #expect(PermessageDeflate(offers: "\(offer), \(offer)") == nil)
    }

    @Test func `other extensions are passed by`() {
        #expect(PermessageDeflate(offers: "x-webkit-deflate-frame") == nil)
        #expect(PermessageDeflate(offers: "permessage-bzip2; level=9, mux") == nil)
        #expect(PermessageDeflate(offers: "mux; max=4, permessage-deflate, permessage-bzip2")?.answer == Self.plain)
    }

    @Test func `the first offer that can be taken is`() {
        let offers = "permessage-deflate; server_max_window_bits=10, permessage-deflate; server_max_window_bits=15"
        #expect(PermessageDeflate(offers: offers)?.answer == Self.plain + "; server_max_window_bits=10")
        #expect(PermessageDeflate(offers: offers)?.window == .narrow)
        #expect(PermessageDeflate(offers: "permessage-deflate; server_max_window_bits=12")?.window == .usual)
        #expect(PermessageDeflate(offers: "permessage-deflate")?.window == .usual)
    }

    @Test(arguments: [
        "", " ", ",", ";", "=", "permessage-deflate;", "permessage-deflate; ;", "permessage-deflate; =9",
        "permessage-deflate; server_max_window_bits=", #"permessage-deflate; server_max_window_bits="""#,
        #"permessage-deflate; server_max_window_bits="9"#, #"permessage-deflate; server_max_window_bits="9\"#,
        #"permessage-deflate; server_max_window_bits="1 2""#, #"permessage-deflate; server_max_window_bits=9"""#,
        "permessage-deflate server_no_context_takeover", "permessage-deflate, (", "permessage-defläte",
        "permessage-deflate; server_max_window_bits=9 9", #""permessage-deflate""#, "permessage-deflate\u{0}",
    ])
    func `what is not written as the RFC has it is no offer`(header: String) {
        #expect(PermessageDeflate(offers: header) == nil)
    }

    @Test func `no bytes break the grammar's reader`() {
        var generator = SystemRandomNumberGenerator()
        let pieces = [
            "permessage-deflate", "; ", ";", "=", ",", "\"", "\\", "9", "12", "server_max_window_bits", " ", "ä",
        ]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...12, using: &generator)).map { _ in
                pieces.randomElement(using: &generator) ?? ""
            }
            .joined()
            if let taken = PermessageDeflate(offers: text) {
                #expect(taken.answer.hasPrefix(Self.plain), "\(text)")
            }
        }
    }
}

import Testing

@testable import ApusProtocol

@Suite struct RateTests {
    @Test(arguments: [
        ("100", 100, Rate.Interval.second), ("100/s", 100, .second), ("30/m", 30, .minute), ("1/h", 1, .hour),
        ("0", 0, .second), ("007/m", 7, .minute), ("1099511627776/h", 1 << 40, .hour),
    ])
    func `a rate is a number, per second unless it says otherwise`(text: String, count: Int, interval: Rate.Interval) {
        #expect(Rate(text) == Rate(count, per: interval))
    }

    @Test(arguments: [
        "", "/", "/s", "1/", "1/d", "1/S", "-1", "+1", "1.5", "1/m/s", " 1", "1099511627777", "99999999999999999999",
    ])
    func `anything else is no rate`(text: String) {
        #expect(Rate(text) == nil)
    }

    @Test func `as JSON a rate per second is a number, and what is written is read again`() {
        #expect(Rate(100).json == "100")
        #expect(Rate(30, per: .minute).json == #""30/m""#)
        #expect(Rate(0, per: .hour).json == "0")
        for rate in [Rate(5), Rate(30, per: .minute), Rate(1, per: .hour)] {
            #expect(Rate(rate.json.filter { $0 != "\"" }) == rate)
        }
    }

    @Test func `a burst is one second's worth, and at least one, unless it is given`() throws {
        #expect(RateLimit(Rate(100))?.burst == 100)
        #expect(RateLimit(Rate(600, per: .minute))?.burst == 10)
        #expect(RateLimit(Rate(1, per: .hour))?.burst == 1)
        #expect(RateLimit(Rate(100), burst: 7)?.burst == 7)
        #expect(RateLimit(Rate(0), burst: 7) == nil)
    }
}

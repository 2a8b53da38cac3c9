#if NATS
import NIOCore
import Testing

@testable import ApusNATS

@Suite struct PublishResultTests {
    private func result(_ text: String) -> PublishResult {
        ByteBuffer(string: text).withUnsafeReadableBytes { PublishResult(acknowledgement: $0) }
    }

    @Test func anAcknowledgementHasStreamAndSequence() {
        #expect(result(#"{"stream":"apus_3","seq":17}"#) == .acked(stream: "apus_3", sequence: 17, isDuplicate: false))
        #expect(
            result(#"{"stream":"A","domain":"hub","seq":18446744073709551615, "duplicate": true}"#)
                == .acked(stream: "A", sequence: .max, isDuplicate: true)
        )
    }

    @Test func aWrongLastSequenceTellsTheRightOne() {
        let text =
            #"{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 41"},"stream":"A","seq":0}"#
        let refusal = JetStreamRefusal(code: 400, reason: 10_071, text: "wrong last sequence: 41")
        #expect(result(text) == .refused(refusal, last: 41))
    }

    @Test(arguments: [10_164, 10_008, 10_060, 10_077])
    func otherRefusalsTellNoSequence(reason: Int) {
        let text = #"{"error":{"code":503,"err_code":\#(reason),"description":"what it says: 7"}}"#
        #expect(
            result(text) == .refused(JetStreamRefusal(code: 503, reason: reason, text: "what it says: 7"), last: nil)
        )
    }

    @Test(arguments: [
        "", "{}", "+OK", #"{"stream":"A"}"#, #"{"stream":"A","seq":0}"#, #"{"seq":1}"#, #"{"stream":"A","seq":-1}"#,
    ])
    func whatIsNoAcknowledgementIsNoAnswer(text: String) {
        #expect(result(text) == .timedOut)
    }

    @Test func theExpectationIsNeverAnEmptyHeader() {
        func headers(_ expectation: StreamPublish.Expectation) -> [NATSHeader] {
            StreamPublish(subject: "s", body: ByteBuffer(), expectation: expectation).allHeaders
        }
        #expect(headers(.none).isEmpty)
        #expect(headers(.noMessage) == [NATSHeader("Nats-Expected-Last-Subject-Sequence", "0")])
        #expect(headers(.last(9)) == [NATSHeader("Nats-Expected-Last-Subject-Sequence", "9")])
    }

    @Test func headersCountAsPayload() {
        // NATS/1.0\r\n A: bc\r\n \r\n
        #expect(NATSHeader.size(of: [NATSHeader("A", "bc")]) == 10 + 7 + 2)
        #expect(NATSHeader.size(of: []) == 0)
    }
}
#endif

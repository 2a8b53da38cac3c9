import Testing

@testable import ApusServer

@Suite struct RefusalTallyTests {
    @Test func `ten times as many refused as done in ten seconds are too many`() {
        var tally = RefusalTally()
        for _ in 1...3 { tally.noteDone(now: 0) }
        for _ in 1...29 { #expect(tally.noteRefused(now: 9999, worth: 0) == false) }
        #expect(tally.noteRefused(now: 9999, worth: 0) == true)
    }

    @Test func `after ten seconds it begins anew`() {
        var tally = RefusalTally()
        for _ in 1...9 { #expect(tally.noteRefused(now: 0, worth: 0) == false) }
        for _ in 1...9 { #expect(tally.noteRefused(now: 10_000, worth: 0) == false) }
        #expect(tally.noteRefused(now: 10_000, worth: 0) == true)
    }

    @Test func `what the limit allows counts as done`() {
        var tally = RefusalTally()
        for _ in 1...999 { #expect(tally.noteRefused(now: 0, worth: 100) == false) }
        #expect(tally.noteRefused(now: 0, worth: 100) == true)
    }

    @Test func `what was taken back was not done`() {
        var tally = RefusalTally()
        for _ in 1...3 { tally.noteDone(now: 0) }
        for _ in 1...5 { tally.takeBack() }
        for _ in 1...9 { #expect(tally.noteRefused(now: 0, worth: 0) == false) }
        #expect(tally.noteRefused(now: 0, worth: 0) == true)
    }
}
